package dev.tulle.kernel;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A listening TCP socket as a descriptor: one that can be handed to another process, and put into a map of sockets. It
 * listens as long as any process holds it. Any thread; closing while another thread uses it is a bug.
 */
public final class TcpListener implements AutoCloseable {
    private static final int SO_REUSEADDR = 2;
    private static final int SO_LINGER = 13;
    private static final int SO_ACCEPTCONN = 30;
    private static final int SO_NETNS_COOKIE = 71;
    private static final int IPPROTO_TCP = 6;

    private final Fd fd;
    private final InetSocketAddress address;

    private TcpListener(Fd fd, InetSocketAddress address) {
        this.fd = fd;
        this.address = address;
    }

    /**
     * Binds and listens. An IPv6 socket takes no IPv4 connections.
     *
     * @param address resolved
     * @param backlog how many connections may wait to be accepted
     * @throws BpfException with {@link Errno#EADDRINUSE} when somebody has the address
     */
    public static TcpListener open(InetSocketAddress address, int backlog) {
        String what = "TCP " + address;
        Fd fd = SocketCalls.bound(
                address,
                SocketCalls.STREAM_CLOEXEC,
                what,
                number -> SocketCalls.setOption(number, SocketCalls.SOL_SOCKET, SO_REUSEADDR, 1));
        try {
            BpfException.check(SocketCalls.listen(fd.number(), backlog), "cannot listen on " + what);
            return new TcpListener(fd, SocketCalls.name(fd.number()));
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * Takes ownership of a descriptor that another process sent.
     *
     * @throws BpfException when it is no listening TCP socket of this network namespace; it is closed then
     */
    static TcpListener received(int number) {
        Fd fd = Fd.own(number, "a received listener", "");
        try {
            if (SocketCalls.option(number, SocketCalls.SOL_SOCKET, SocketCalls.SO_PROTOCOL) != IPPROTO_TCP
                    || SocketCalls.option(number, SocketCalls.SOL_SOCKET, SO_ACCEPTCONN) != 1) {
                throw new BpfException("a received descriptor is no listening TCP socket");
            }
            if (ownNamespace() != namespace(number)) {
                throw new BpfException("a received listener belongs to another network namespace");
            }
            return new TcpListener(fd, SocketCalls.name(number));
        } catch (RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * A second hold on a listening socket of another process (kernel 5.6, CAP_SYS_PTRACE); empty when the process has no
     * such socket any more.
     *
     * @param inode the socket's, as in {@link SockDiag.Listener}
     */
    public static Optional<TcpListener> ofProcess(long pid, long inode) {
        try (Stream<Path> open = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            for (Path descriptor : (Iterable<Path>) open::iterator) {
                if (isSocket(descriptor, inode)) {
                    return Optional.of(
                            received(duplicate((int) pid, Integer.parseInt(String.valueOf(descriptor.getFileName())))));
                }
            }
        } catch (IOException e) {
            // The process has ended.
            return Optional.empty();
        }
        return Optional.empty();
    }

    private static boolean isSocket(Path descriptor, long inode) {
        try {
            return Files.readSymbolicLink(descriptor).toString().equals("socket:[" + inode + "]");
        } catch (IOException e) {
            return false;
        }
    }

    /** A second hold, which is the caller's, on a descriptor of another process. */
    static int duplicate(int pid, int number) {
        String action = "cannot share the descriptor " + number + " of process " + pid;
        try (Fd process = Fd.own(SocketCalls.processDescriptor(pid), "process " + pid, action)) {
            return BpfException.check(SocketCalls.duplicateOf(process.number(), number), action);
        }
    }

    /** Where it listens. */
    public InetSocketAddress address() {
        return address;
    }

    /** The cookie by which programs know this process's network namespace; 0 before kernel 5.14. */
    public static long ownNamespace() {
        try (Fd probe = Fd.own(
                LibC.socket(SocketCalls.AF_INET, SocketCalls.STREAM_CLOEXEC, 0), "a probe", "cannot make a socket")) {
            return namespace(probe.number());
        }
    }

    static long namespace(int socket) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment cookie = arena.allocate(ValueLayout.JAVA_LONG);
            int error = LibC.socketOption(socket, SocketCalls.SOL_SOCKET, SO_NETNS_COOKIE, cookie);
            return error < 0 ? 0 : cookie.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /** Puts the socket into a SOCKMAP or SOCKHASH, in the place of what is there; it leaves the map when it ends. */
    public <K> void putInto(BpfMap sockets, MapCodec<K> keys, K key) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment raw = arena.allocate(keys.size(), Long.BYTES);
            keys.encode(key, raw);
            MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_LONG, fd.number());
            sockets.update(raw, value, BpfMap.ANY);
        }
    }

    /**
     * Resets the connections that wait to be accepted, at most so many.
     *
     * @return how many there were
     */
    public int resetWaiting(int atMost) {
        int count = 0;
        while (count < atMost) {
            int accepted = SocketCalls.accept(fd.number());
            if (accepted < 0) {
                break;
            }
            try (Arena arena = Arena.ofConfined()) {
                // struct linger { int onoff; int seconds; }: closing sends a reset.
                MemorySegment linger = arena.allocateFrom(ValueLayout.JAVA_INT, 1, 0);
                var _ = LibC.setSocketOption(accepted, SocketCalls.SOL_SOCKET, SO_LINGER, linger);
            }
            LibC.close(accepted);
            count++;
        }
        return count;
    }

    Fd fd() {
        return fd;
    }

    /** Gives up this process's hold. Idempotent. */
    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return "listener " + address;
    }
}
