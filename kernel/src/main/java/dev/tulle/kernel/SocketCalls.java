package dev.tulle.kernel;

import static dev.tulle.kernel.NativeLibrary.INT;
import static dev.tulle.kernel.NativeLibrary.LONG;
import static dev.tulle.kernel.NativeLibrary.PTR;
import static dev.tulle.kernel.NativeLibrary.unexpected;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.IntConsumer;

/**
 * libc's calls for sockets and for descriptors that travel over them, by hand, each with its C prototype. Int results are
 * the value, or -errno on failure. Any thread.
 */
final class SocketCalls {
    static final int AF_UNIX = 1;
    static final int AF_INET = 2;
    static final int AF_INET6 = 10;
    static final int STREAM_CLOEXEC = 1 | 0x80000;
    static final int DATAGRAM_CLOEXEC = 2 | 0x80000;
    static final int NONBLOCK = 0x800;
    static final int SOL_SOCKET = 1;
    static final int SO_PROTOCOL = 38;
    static final int IPPROTO_IPV6 = 41;
    static final int IPV6_V6ONLY = 26;
    /** The size of a struct sockaddr_in6. */
    static final int ADDRESS_MAX = 28;

    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final long PIDFD_OPEN = 434;
    private static final long PIDFD_GETFD = 438;
    private static final int SCM_RIGHTS = 1;
    private static final int UNIX_PATH = 2;
    private static final int SHUT_RDWR = 2;
    private static final int UNIX_PATH_MAX = 108;

    // struct msghdr { void *name; socklen_t namelen; struct iovec *iov; size_t iovlen; void *control; size_t
    // controllen; int flags; }
    private static final int MSGHDR_SIZE = 56;
    private static final int MSG_IOV = 16;
    private static final int MSG_IOVLEN = 24;
    private static final int MSG_CONTROL = 32;
    private static final int MSG_CONTROLLEN = 40;
    // struct cmsghdr { size_t len; int level; int type; } and one descriptor
    private static final int CMSG_LEN = 20;
    private static final int CMSG_SPACE = 24;

    private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");

    // int bind(int fd, const struct sockaddr *address, socklen_t size)
    private static final MethodHandle BIND = handle("bind", FunctionDescriptor.of(INT, INT, PTR, INT));
    // int listen(int fd, int backlog)
    private static final MethodHandle LISTEN = handle("listen", FunctionDescriptor.of(INT, INT, INT));
    // int connect(int fd, const struct sockaddr *address, socklen_t size)
    private static final MethodHandle CONNECT = handle("connect", FunctionDescriptor.of(INT, INT, PTR, INT));
    // int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
    private static final MethodHandle ACCEPT = handle("accept4", FunctionDescriptor.of(INT, INT, PTR, PTR, INT));
    // int getsockname(int fd, struct sockaddr *address, socklen_t *size)
    private static final MethodHandle NAME = handle("getsockname", FunctionDescriptor.of(INT, INT, PTR, PTR));
    // int getpeername(int fd, struct sockaddr *address, socklen_t *size)
    private static final MethodHandle PEER = handle("getpeername", FunctionDescriptor.of(INT, INT, PTR, PTR));
    // long syscall(long number, ... /* three ints */)
    private static final MethodHandle SYSCALL = NativeLibrary.handle(
            Linker.nativeLinker().defaultLookup(),
            "syscall",
            FunctionDescriptor.of(LONG, LONG, INT, INT, INT),
            ERRNO,
            Linker.Option.firstVariadicArg(1));
    // ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
    private static final MethodHandle SEND = handle("sendmsg", FunctionDescriptor.of(LONG, INT, PTR, INT));
    // ssize_t recvmsg(int fd, struct msghdr *message, int flags)
    private static final MethodHandle RECEIVE = handle("recvmsg", FunctionDescriptor.of(LONG, INT, PTR, INT));
    // ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t size)
    private static final MethodHandle SEND_TO =
            handle("sendto", FunctionDescriptor.of(LONG, INT, PTR, LONG, INT, PTR, INT));
    // ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from, socklen_t *size)
    private static final MethodHandle RECEIVE_FROM =
            handle("recvfrom", FunctionDescriptor.of(LONG, INT, PTR, LONG, INT, PTR, PTR));
    // int shutdown(int fd, int how)
    private static final MethodHandle SHUTDOWN = handle("shutdown", FunctionDescriptor.of(INT, INT, INT));

    private SocketCalls() {}

    /** What {@link #receive} found. */
    static final class Received {
        /** Bytes, 0 at the end of the stream, -errno on failure. */
        long bytes;
        /** The descriptor that came along; -1 if none did. */
        int descriptor = -1;
    }

    private static MethodHandle handle(String name, FunctionDescriptor type) {
        return NativeLibrary.handle(Linker.nativeLinker().defaultLookup(), name, type, ERRNO);
    }

    private static int result(int value, MemorySegment state) {
        return value < 0 ? -NativeLibrary.errno(state) : value;
    }

    /** A struct sockaddr_in or sockaddr_in6. */
    static MemorySegment address(Arena arena, InetSocketAddress address) {
        byte[] ip = address.getAddress().getAddress();
        boolean v4 = ip.length == 4;
        MemorySegment raw = arena.allocate(v4 ? 16 : 28, 4);
        ByteBuffer bytes = raw.asByteBuffer().order(ByteOrder.nativeOrder());
        bytes.putShort((short) (v4 ? AF_INET : AF_INET6));
        bytes.order(ByteOrder.BIG_ENDIAN).putShort((short) address.getPort());
        bytes.position(v4 ? 4 : 8).put(ip);
        return raw;
    }

    /** A struct sockaddr_un. */
    static MemorySegment address(Arena arena, Path path) {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length >= UNIX_PATH_MAX) {
            throw new BpfException(
                    path + ": the path of a socket may have " + (UNIX_PATH_MAX - 1) + " bytes, it has " + name.length);
        }
        MemorySegment raw = arena.allocate(UNIX_PATH + UNIX_PATH_MAX, 4);
        raw.set(ValueLayout.JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(name, 0, raw, ValueLayout.JAVA_BYTE, UNIX_PATH, name.length);
        return raw;
    }

    /** A descriptor of a process. */
    static int processDescriptor(int pid) {
        return syscall(PIDFD_OPEN, pid, 0, 0);
    }

    /** A second descriptor, closed on exec, of what another process has open; needs CAP_SYS_PTRACE. */
    static int duplicateOf(int processDescriptor, int number) {
        return syscall(PIDFD_GETFD, processDescriptor, number, 0);
    }

    private static int syscall(long number, int first, int second, int third) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            long value = (long) SYSCALL.invokeExact(state, number, first, second, third);
            return value < 0 ? -NativeLibrary.errno(state) : (int) value;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /**
     * A bound socket that does not block. One of IPv6 takes nothing of IPv4.
     *
     * @param type what the socket is, of {@link #STREAM_CLOEXEC} and {@link #DATAGRAM_CLOEXEC}
     * @param what it is, for people
     * @param options sets options of its level {@link #SOL_SOCKET} by its descriptor's number, before it is bound
     * @throws BpfException with {@link Errno#EADDRINUSE} when somebody has the address
     */
    static Fd bound(InetSocketAddress address, int type, String what, IntConsumer options) {
        boolean v6 = address.getAddress().getAddress().length == 16;
        Fd fd = Fd.own(
                LibC.socket(v6 ? AF_INET6 : AF_INET, type | NONBLOCK, 0), what, "cannot make a socket for " + what);
        try (Arena arena = Arena.ofConfined()) {
            options.accept(fd.number());
            if (v6) {
                setOption(fd.number(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
            }
            BpfException.check(bind(fd.number(), address(arena, address)), "cannot bind " + what);
            return fd;
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    static int bind(int fd, MemorySegment address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) BIND.invokeExact(state, fd, address, (int) address.byteSize()), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int connect(int fd, MemorySegment address) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) CONNECT.invokeExact(state, fd, address, (int) address.byteSize()), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int listen(int fd, int backlog) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) LISTEN.invokeExact(state, fd, backlog), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The accepted descriptor, closed on exec. */
    static int accept(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result(
                    (int) ACCEPT.invokeExact(state, fd, MemorySegment.NULL, MemorySegment.NULL, STREAM_CLOEXEC & ~1),
                    state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Where a socket is bound; throws {@link BpfException} for a descriptor that is no IPv4 or IPv6 socket. */
    static InetSocketAddress name(int fd) {
        return addressOf(NAME, fd, "cannot ask where a socket is bound");
    }

    /** Who is at the other end of a connection. */
    static InetSocketAddress peer(int fd) {
        return addressOf(PEER, fd, "cannot ask what a socket is connected to");
    }

    private static InetSocketAddress addressOf(MethodHandle which, int fd, String action) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment raw = arena.allocate(ADDRESS_MAX, 4);
            MemorySegment size = arena.allocateFrom(INT, ADDRESS_MAX);
            int error = result((int) which.invokeExact(state, fd, raw, size), state);
            BpfException.check(error, action);
            return address(raw);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Reads a struct sockaddr_in or sockaddr_in6. */
    static InetSocketAddress address(MemorySegment raw) {
        int family = raw.get(ValueLayout.JAVA_SHORT, 0);
        if (family != AF_INET && family != AF_INET6) {
            throw new BpfException("a socket of the address family " + family + ", expected IPv4 or IPv6");
        }
        ByteBuffer bytes = raw.asByteBuffer().order(ByteOrder.BIG_ENDIAN);
        byte[] ip = new byte[family == AF_INET ? 4 : 16];
        bytes.get(family == AF_INET ? 4 : 8, ip);
        try {
            return new InetSocketAddress(InetAddress.getByAddress(ip), bytes.getShort(2) & 0xffff);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Sends a datagram. Bytes sent, or -errno. */
    static long sendTo(int fd, MemorySegment bytes, MemorySegment to) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            long sent = (long) SEND_TO.invokeExact(state, fd, bytes, bytes.byteSize(), 0, to, (int) to.byteSize());
            return sent < 0 ? -NativeLibrary.errno(state) : sent;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Takes a datagram and its sender's address, for which {@code from} has {@link #ADDRESS_MAX} bytes. */
    static long receiveFrom(int fd, MemorySegment bytes, MemorySegment from) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment size = arena.allocateFrom(INT, (int) from.byteSize());
            long received = (long) RECEIVE_FROM.invokeExact(state, fd, bytes, bytes.byteSize(), 0, from, size);
            return received < 0 ? -NativeLibrary.errno(state) : received;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Sends bytes of a stream, without a signal where the peer has gone. Bytes sent, or -errno. */
    static long sendStream(int fd, MemorySegment bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            long sent =
                    (long) SEND_TO.invokeExact(state, fd, bytes, bytes.byteSize(), MSG_NOSIGNAL, MemorySegment.NULL, 0);
            return sent < 0 ? -NativeLibrary.errno(state) : sent;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Ends both directions of a connection, which wakes whoever waits in it. */
    static int shutdown(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) SHUTDOWN.invokeExact(state, fd, SHUT_RDWR), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** An option that is an int. */
    static int option(int fd, int level, int name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(INT);
            int error = LibC.socketOption(fd, level, name, value);
            return error < 0 ? error : value.get(INT, 0);
        }
    }

    /** Sets an option that is an int. */
    static int setOption(int fd, int level, int name, int value) {
        try (Arena arena = Arena.ofConfined()) {
            return LibC.setSocketOption(fd, level, name, arena.allocateFrom(INT, value));
        }
    }

    /** Sends one byte and, with it, a descriptor. */
    static long send(int fd, int descriptor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment control = arena.allocate(CMSG_SPACE, 8);
            control.set(LONG, 0, CMSG_LEN);
            control.set(INT, 8, SOL_SOCKET);
            control.set(INT, 12, SCM_RIGHTS);
            control.set(INT, 16, descriptor);
            long sent = (long) SEND.invokeExact(state, fd, message(arena, control), MSG_NOSIGNAL);
            return sent < 0 ? -NativeLibrary.errno(state) : sent;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Receives one byte and the descriptor that came with it, closed on exec. */
    static Received receive(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment control = arena.allocate(CMSG_SPACE, 8);
            MemorySegment message = message(arena, control);
            Received received = new Received();
            long bytes = (long) RECEIVE.invokeExact(state, fd, message, MSG_CMSG_CLOEXEC);
            received.bytes = bytes < 0 ? -NativeLibrary.errno(state) : bytes;
            if (bytes > 0
                    && message.get(LONG, MSG_CONTROLLEN) >= CMSG_LEN
                    && control.get(INT, 8) == SOL_SOCKET
                    && control.get(INT, 12) == SCM_RIGHTS) {
                received.descriptor = control.get(INT, 16);
            }
            return received;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static MemorySegment message(Arena arena, MemorySegment control) {
        MemorySegment part = arena.allocate(16, 8);
        part.set(ValueLayout.ADDRESS, 0, arena.allocate(1));
        part.set(LONG, 8, 1);
        MemorySegment message = arena.allocate(MSGHDR_SIZE, 8);
        message.set(ValueLayout.ADDRESS, MSG_IOV, part);
        message.set(LONG, MSG_IOVLEN, 1);
        message.set(ValueLayout.ADDRESS, MSG_CONTROL, control);
        message.set(LONG, MSG_CONTROLLEN, CMSG_SPACE);
        return message;
    }
}
