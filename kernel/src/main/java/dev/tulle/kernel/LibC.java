package dev.tulle.kernel;

import static dev.tulle.kernel.NativeLibrary.INT;
import static dev.tulle.kernel.NativeLibrary.LONG;
import static dev.tulle.kernel.NativeLibrary.PTR;
import static dev.tulle.kernel.NativeLibrary.unexpected;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** The libc functions that the JDK does not offer. Int results are the value, or -errno on failure. Any thread. */
final class LibC {
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int EFD_CLOEXEC = 0x80000;
    private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");

    // int close(int fd)
    private static final MethodHandle CLOSE = handle("close", FunctionDescriptor.of(INT, INT), ERRNO);
    // int fcntl(int fd, int op, ... /* int */)
    private static final MethodHandle FCNTL =
            handle("fcntl", FunctionDescriptor.of(INT, INT, INT, INT), ERRNO, Linker.Option.firstVariadicArg(2));
    // int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
    private static final MethodHandle MOUNT =
            handle("mount", FunctionDescriptor.of(INT, PTR, PTR, PTR, LONG, PTR), ERRNO);
    // int umount2(const char *target, int flags)
    private static final MethodHandle UMOUNT2 = handle("umount2", FunctionDescriptor.of(INT, PTR, INT), ERRNO);
    // int vsnprintf(char *text, size_t size, const char *format, va_list arguments)
    private static final MethodHandle VSNPRINTF = handle("vsnprintf", FunctionDescriptor.of(INT, PTR, LONG, PTR, PTR));
    // void *malloc(size_t size)
    private static final MethodHandle MALLOC = handle("malloc", FunctionDescriptor.of(PTR, LONG));
    // void free(void *block)
    private static final MethodHandle FREE = handle("free", FunctionDescriptor.ofVoid(PTR));
    // int eventfd(unsigned int initial, int flags)
    private static final MethodHandle EVENTFD = handle("eventfd", FunctionDescriptor.of(INT, INT, INT), ERRNO);
    // int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
    private static final MethodHandle POLL = handle("poll", FunctionDescriptor.of(INT, PTR, LONG, INT), ERRNO);
    // ssize_t write(int fd, const void *bytes, size_t size)
    private static final MethodHandle WRITE = handle("write", FunctionDescriptor.of(LONG, INT, PTR, LONG), ERRNO);
    // int open(const char *path, int flags, ... /* mode_t */)
    private static final MethodHandle OPEN =
            handle("open", FunctionDescriptor.of(INT, PTR, INT, INT), ERRNO, Linker.Option.firstVariadicArg(2));
    // int socket(int domain, int type, int protocol)
    private static final MethodHandle SOCKET = handle("socket", FunctionDescriptor.of(INT, INT, INT, INT), ERRNO);
    // ssize_t send(int fd, const void *bytes, size_t size, int flags)
    private static final MethodHandle SEND = handle("send", FunctionDescriptor.of(LONG, INT, PTR, LONG, INT), ERRNO);
    // ssize_t recv(int fd, void *bytes, size_t size, int flags)
    private static final MethodHandle RECV = handle("recv", FunctionDescriptor.of(LONG, INT, PTR, LONG, INT), ERRNO);
    // int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
    private static final MethodHandle GETSOCKOPT =
            handle("getsockopt", FunctionDescriptor.of(INT, INT, INT, INT, PTR, PTR), ERRNO);

    // int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
    private static final MethodHandle SETSOCKOPT =
            handle("setsockopt", FunctionDescriptor.of(INT, INT, INT, INT, PTR, INT), ERRNO);

    private LibC() {}

    private static MethodHandle handle(String name, FunctionDescriptor type, Linker.Option... options) {
        return NativeLibrary.handle(Linker.nativeLinker().defaultLookup(), name, type, options);
    }

    private static int result(int value, MemorySegment state) {
        return value < 0 ? -NativeLibrary.errno(state) : value;
    }

    private static long result(long value, MemorySegment state) {
        return value < 0 ? -NativeLibrary.errno(state) : value;
    }

    static int close(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) CLOSE.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int duplicate(int fd) {
        return duplicate(fd, 3);
    }

    /** A second descriptor, closed on exec, with a number not below this one. */
    static int duplicate(int fd, int atLeast) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) FCNTL.invokeExact(state, fd, F_DUPFD_CLOEXEC, atLeast), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mount(String source, Path target, String type) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result(
                    (int) MOUNT.invokeExact(
                            state,
                            arena.allocateFrom(source),
                            arena.allocateFrom(target.toString()),
                            arena.allocateFrom(type),
                            0L,
                            MemorySegment.NULL),
                    state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int unmount(Path target) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) UMOUNT2.invokeExact(state, arena.allocateFrom(target.toString()), 0), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Formats into {@code text}; the arguments are the va_list that a callback was given. */
    static int format(MemorySegment text, MemorySegment format, MemorySegment arguments) {
        try {
            return (int) VSNPRINTF.invokeExact(text, text.byteSize(), format, arguments);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Memory that is not zeroed, so that untouched pages of a large buffer cost nothing. Null result: out of memory. */
    static MemorySegment allocate(long size) {
        try {
            MemorySegment block = (MemorySegment) MALLOC.invokeExact(size);
            if (block.equals(MemorySegment.NULL)) {
                throw new BpfException("cannot allocate " + size + " bytes", Errno.ENOMEM);
            }
            return block.reinterpret(size);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static void free(MemorySegment block) {
        try {
            FREE.invokeExact(block);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int eventFd() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) EVENTFD.invokeExact(state, 0, EFD_CLOEXEC), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int poll(MemorySegment descriptors, long count, int timeoutMs) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) POLL.invokeExact(state, descriptors, count, timeoutMs), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long write(int fd, MemorySegment bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((long) WRITE.invokeExact(state, fd, bytes, bytes.byteSize()), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int open(Path path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) OPEN.invokeExact(state, arena.allocateFrom(path.toString()), flags, 0), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int socket(int domain, int type, int protocol) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((int) SOCKET.invokeExact(state, domain, type, protocol), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long send(int fd, MemorySegment bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((long) SEND.invokeExact(state, fd, bytes, bytes.byteSize(), 0), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long receive(int fd, MemorySegment bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            return result((long) RECV.invokeExact(state, fd, bytes, bytes.byteSize(), 0), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** Fills {@code value}; the result is 0, or -errno. */
    static int setSocketOption(int fd, int level, int name, MemorySegment value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            int size = (int) value.byteSize();
            return result((int) SETSOCKOPT.invokeExact(state, fd, level, name, value, size), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int socketOption(int fd, int level, int name, MemorySegment value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment size = arena.allocateFrom(INT, (int) value.byteSize());
            return result((int) GETSOCKOPT.invokeExact(state, fd, level, name, value, size), state);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }
}
