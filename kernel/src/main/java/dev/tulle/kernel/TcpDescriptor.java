package dev.tulle.kernel;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/**
 * What the JDK does not let be asked of a connected TCP channel: where its peer had wanted to go, and readiness by
 * edges. For self-tests: finding the descriptor costs about 0.1 ms. One thread at a time; the channel must stay open, and
 * its linger option must not be changed meanwhile.
 */
public final class TcpDescriptor implements AutoCloseable {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final int SOL_SOCKET = 1;
    private static final int SOL_IP = 0;
    private static final int SO_LINGER = 13;
    private static final int SO_ORIGINAL_DST = 80;
    private static final int EPOLL_CLOEXEC = 0x80000;
    private static final int EPOLL_CTL_ADD = 1;
    private static final int EPOLLIN_EDGE = 1 | 1 << 31;
    /** struct epoll_event is 12 bytes on x86-64 and 16 elsewhere; events come first on both. */
    private static final int EVENT_SIZE = 16;

    private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
    // int epoll_create1(int flags)
    private static final MethodHandle EPOLL_CREATE =
            handle("epoll_create1", FunctionDescriptor.of(NativeLibrary.INT, NativeLibrary.INT));
    // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
    private static final MethodHandle EPOLL_CTL = handle(
            "epoll_ctl",
            FunctionDescriptor.of(
                    NativeLibrary.INT, NativeLibrary.INT, NativeLibrary.INT, NativeLibrary.INT, NativeLibrary.PTR));
    // int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
    private static final MethodHandle EPOLL_WAIT = handle(
            "epoll_wait",
            FunctionDescriptor.of(
                    NativeLibrary.INT, NativeLibrary.INT, NativeLibrary.PTR, NativeLibrary.INT, NativeLibrary.INT));

    private final int descriptor;
    private final Fd epoll;

    private TcpDescriptor(int descriptor, Fd epoll) {
        this.descriptor = descriptor;
        this.epoll = epoll;
    }

    private static MethodHandle handle(String name, FunctionDescriptor type) {
        return NativeLibrary.handle(Linker.nativeLinker().defaultLookup(), name, type, ERRNO);
    }

    /**
     * Finds the descriptor of a connected channel and begins to watch it for readable edges.
     *
     * @throws IOException when the descriptor cannot be told
     */
    public static TcpDescriptor of(SocketChannel channel) throws IOException {
        int descriptor = find(channel);
        Fd epoll = Fd.own(call(EPOLL_CREATE, EPOLL_CLOEXEC), "edge poll", "cannot make an epoll descriptor");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment event = arena.allocate(EVENT_SIZE, Integer.BYTES);
            event.set(ValueLayout.JAVA_INT, 0, EPOLLIN_EDGE);
            BpfException.check(control(epoll.number(), descriptor, event), "cannot watch a socket for edges");
            return new TcpDescriptor(descriptor, epoll);
        } catch (RuntimeException e) {
            epoll.close();
            throw e;
        }
    }

    private static int find(SocketChannel channel) throws IOException {
        Integer before = channel.getOption(StandardSocketOptions.SO_LINGER);
        try {
            for (int i = 0; i < 4; i++) {
                int mark = ThreadLocalRandom.current().nextInt(10_000, 30_000);
                channel.setOption(StandardSocketOptions.SO_LINGER, mark);
                List<Integer> marked = marked(mark);
                if (marked.size() == 1) {
                    return marked.getFirst();
                }
            }
        } finally {
            channel.setOption(StandardSocketOptions.SO_LINGER, before == null ? -1 : before);
        }
        throw new IOException("cannot tell which descriptor belongs to " + channel);
    }

    private static List<Integer> marked(int mark) throws IOException {
        List<Integer> found = new ArrayList<>();
        try (Stream<Path> open = Files.list(DESCRIPTORS);
                Arena arena = Arena.ofConfined()) {
            MemorySegment linger = arena.allocate(ValueLayout.JAVA_INT, 2);
            for (Path path : (Iterable<Path>) open::iterator) {
                int fd = Integer.parseInt(path.getFileName().toString());
                if (LibC.socketOption(fd, SOL_SOCKET, SO_LINGER, linger) == 0
                        && linger.get(ValueLayout.JAVA_INT, 0) != 0
                        && linger.get(ValueLayout.JAVA_INT, Integer.BYTES) == mark) {
                    found.add(fd);
                }
            }
        }
        return found;
    }

    private static int call(MethodHandle handle, int argument) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            int result = (int) handle.invokeExact(state, argument);
            return result < 0 ? -NativeLibrary.errno(state) : result;
        } catch (Throwable t) {
            throw NativeLibrary.unexpected(t);
        }
    }

    private static int control(int epoll, int descriptor, MemorySegment event) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            int result = (int) EPOLL_CTL.invokeExact(state, epoll, EPOLL_CTL_ADD, descriptor, event);
            return result < 0 ? -NativeLibrary.errno(state) : result;
        } catch (Throwable t) {
            throw NativeLibrary.unexpected(t);
        }
    }

    /** Waits for the next readable edge; false when none comes in time. */
    public boolean awaitEdge(Duration timeout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = NativeLibrary.stateIn(arena);
            MemorySegment events = arena.allocate(EVENT_SIZE, Long.BYTES);
            int ready = (int) EPOLL_WAIT.invokeExact(state, epoll.number(), events, 1, (int) timeout.toMillis());
            BpfException.check(ready < 0 ? -NativeLibrary.errno(state) : 0, "cannot wait for an edge");
            return ready > 0;
        } catch (Throwable t) {
            throw NativeLibrary.unexpected(t);
        }
    }

    /**
     * Where the peer had wanted to go (SO_ORIGINAL_DST), over IPv4.
     *
     * @throws IOException when the kernel does not tell
     */
    public InetSocketAddress originalDestination() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            // struct sockaddr_in: family, port, address in network order, 8 bytes of nothing
            MemorySegment address = arena.allocate(16, Integer.BYTES);
            int result = LibC.socketOption(descriptor, SOL_IP, SO_ORIGINAL_DST, address);
            if (result < 0) {
                throw new IOException("SO_ORIGINAL_DST: " + Errno.describe(-result));
            }
            byte[] raw = address.toArray(ValueLayout.JAVA_BYTE);
            int port = (raw[2] & 255) << 8 | (raw[3] & 255);
            return new InetSocketAddress(InetAddress.getByAddress(new byte[] {raw[4], raw[5], raw[6], raw[7]}), port);
        }
    }

    /**
     * Sets a socket option of any level.
     *
     * @throws IOException when the kernel refuses
     */
    public void setOption(int level, int name, byte[] value) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            int result =
                    LibC.setSocketOption(descriptor, level, name, arena.allocateFrom(ValueLayout.JAVA_BYTE, value));
            if (result < 0) {
                throw new IOException("option " + name + " of level " + level + ": " + Errno.describe(-result));
            }
        }
    }

    /**
     * Reads a socket option of any level.
     *
     * @throws IOException when the kernel does not tell
     */
    public byte[] option(int level, int name, int size) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(size, Long.BYTES);
            int result = LibC.socketOption(descriptor, level, name, value);
            if (result < 0) {
                throw new IOException("option " + name + " of level " + level + ": " + Errno.describe(-result));
            }
            return value.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Ends the watch; the channel stays open. */
    @Override
    public void close() {
        epoll.close();
    }
}
