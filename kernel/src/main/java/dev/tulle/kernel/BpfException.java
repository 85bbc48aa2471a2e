package dev.tulle.kernel;

/** A call into the kernel or libbpf that failed. The message says what was tried, on what, and the error's name. */
public class BpfException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /** An error without an error number ({@link #errno()} is 0). */
    public BpfException(String message) {
        super(message);
        this.errno = 0;
    }

    /** An error number from the kernel; {@code errno} is positive. */
    public BpfException(String what, int errno) {
        super(what + ": " + Errno.describe(errno));
        this.errno = errno;
    }

    BpfException(String message, int errno, boolean complete) {
        super(complete ? message : message + ": " + Errno.describe(errno));
        this.errno = errno;
    }

    /** The positive error number, or 0 when the failure has none. */
    public final int errno() {
        return errno;
    }

    /** Throws if {@code result} is a negative errno; returns it otherwise. */
    static int check(int result, String what) {
        if (result < 0) {
            throw new BpfException(what, -result);
        }
        return result;
    }
}
