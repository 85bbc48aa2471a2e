package dev.tulle.kernel;

import java.util.Map;

/** Names and texts of Linux error numbers (the generic numbering of x86-64 and arm64). Any thread. */
public final class Errno {
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int ESRCH = 3;
    public static final int EINTR = 4;
    public static final int E2BIG = 7;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int EINVAL = 22;
    public static final int ENOSPC = 28;
    public static final int ENOPROTOOPT = 92;
    public static final int EOPNOTSUPP = 95;
    public static final int EADDRINUSE = 98;
    public static final int EADDRNOTAVAIL = 99;
    /** Kernel-internal "not supported", which some bpf(2) commands let out. */
    public static final int ENOTSUPP = 524;

    private record Entry(String name, String text) {}

    private static final Map<Integer, Entry> TABLE = Map.ofEntries(
            entry(EPERM, "EPERM", "operation not permitted"),
            entry(ENOENT, "ENOENT", "no such entry"),
            entry(ESRCH, "ESRCH", "no such process"),
            entry(EINTR, "EINTR", "interrupted"),
            entry(5, "EIO", "input/output error"),
            entry(E2BIG, "E2BIG", "too big or full"),
            entry(9, "EBADF", "bad file descriptor"),
            entry(EAGAIN, "EAGAIN", "try again"),
            entry(ENOMEM, "ENOMEM", "out of memory"),
            entry(EACCES, "EACCES", "permission denied"),
            entry(14, "EFAULT", "bad address"),
            entry(EBUSY, "EBUSY", "busy"),
            entry(EEXIST, "EEXIST", "exists already"),
            entry(19, "ENODEV", "no such device"),
            entry(20, "ENOTDIR", "not a directory"),
            entry(21, "EISDIR", "is a directory"),
            entry(EINVAL, "EINVAL", "invalid argument"),
            entry(24, "EMFILE", "too many open files"),
            entry(ENOSPC, "ENOSPC", "no space left"),
            entry(34, "ERANGE", "out of range"),
            entry(38, "ENOSYS", "no such system call"),
            entry(40, "ELOOP", "too many levels"),
            entry(52, "EBADE", "invalid exchange"),
            entry(75, "EOVERFLOW", "value too large"),
            entry(90, "EMSGSIZE", "message too long"),
            entry(ENOPROTOOPT, "ENOPROTOOPT", "no such option"),
            entry(93, "EPROTONOSUPPORT", "protocol not supported"),
            entry(EOPNOTSUPP, "EOPNOTSUPP", "operation not supported"),
            entry(97, "EAFNOSUPPORT", "address family not supported"),
            entry(EADDRINUSE, "EADDRINUSE", "address in use"),
            entry(EADDRNOTAVAIL, "EADDRNOTAVAIL", "address not available"),
            entry(100, "ENETDOWN", "network is down"),
            entry(101, "ENETUNREACH", "network is unreachable"),
            entry(105, "ENOBUFS", "no buffer space"),
            entry(110, "ETIMEDOUT", "timed out"),
            entry(111, "ECONNREFUSED", "connection refused"),
            entry(ENOTSUPP, "ENOTSUPP", "operation not supported by this object"));

    private Errno() {}

    private static Map.Entry<Integer, Entry> entry(int number, String name, String text) {
        return Map.entry(number, new Entry(name, text));
    }

    /** The symbol of a positive error number, such as {@code EACCES}; {@code errno 77} if it is not in the table. */
    public static String name(int errno) {
        Entry entry = TABLE.get(errno);
        return entry == null ? "errno " + errno : entry.name();
    }

    /** Symbol and meaning, such as {@code EACCES (permission denied)}. */
    public static String describe(int errno) {
        Entry entry = TABLE.get(errno);
        return entry == null ? "errno " + errno : entry.name() + " (" + entry.text() + ")";
    }
}
