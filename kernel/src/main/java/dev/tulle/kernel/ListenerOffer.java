package dev.tulle.kernel;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Hands listening sockets to other processes over a Unix-domain socket: who connects gets one byte and one descriptor a
 * message, then the end of the stream. Which socket is which is told by the address that each is bound to. One thread of
 * its own serves one connection after the other; each costs well under a millisecond.
 */
public final class ListenerOffer implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ListenerOffer.class.getName());
    private static final int BACKLOG = 16;
    private static final int SO_PEERCRED = 17;
    private static final int SO_RCVTIMEO = 20;
    private static final int SO_SNDTIMEO = 21;
    private static final long PATIENCE_SECONDS = 2;
    private static final int MOST = 1_024;
    private static final short POLLIN = 1;
    private static final MemoryLayout POLLFD = MemoryLayout.structLayout(
            ValueLayout.JAVA_INT.withName("fd"),
            ValueLayout.JAVA_SHORT.withName("events"),
            ValueLayout.JAVA_SHORT.withName("revents"));

    private final Path path;
    private final Fd server;
    private final Fd wake;
    private final Function<PeerCredentials, List<TcpListener>> listeners;
    private final Thread thread;
    private volatile boolean closed;

    private ListenerOffer(Path path, Fd server, Fd wake, Function<PeerCredentials, List<TcpListener>> listeners) {
        this.path = path;
        this.server = server;
        this.wake = wake;
        this.listeners = listeners;
        this.thread = Thread.ofPlatform().name("listener-offer").daemon().unstarted(this::run);
    }

    /**
     * Offers from now on. What is at the path is replaced.
     *
     * @param uid the user that the socket's file belongs to, the only one besides root who can connect
     * @param listeners called on the thread that serves: what a peer gets, nothing if it may have none
     * @throws IOException when the path cannot be bound
     */
    public static ListenerOffer start(Path path, int uid, Function<PeerCredentials, List<TcpListener>> listeners)
            throws IOException {
        Files.deleteIfExists(path);
        Fd server = Fd.own(
                LibC.socket(SocketCalls.AF_UNIX, SocketCalls.STREAM_CLOEXEC | SocketCalls.NONBLOCK, 0),
                path.toString(),
                "cannot make a socket for " + path);
        try (Arena arena = Arena.ofConfined()) {
            BpfException.check(
                    SocketCalls.bind(server.number(), SocketCalls.address(arena, path)), "cannot bind " + path);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            Files.setAttribute(path, "unix:uid", uid);
            BpfException.check(SocketCalls.listen(server.number(), BACKLOG), "cannot listen on " + path);
            Fd wake = Fd.own(LibC.eventFd(), path.toString(), "cannot make a wake-up descriptor for " + path);
            ListenerOffer offer = new ListenerOffer(path, server, wake, listeners);
            offer.thread.start();
            return offer;
        } catch (BpfException e) {
            server.close();
            throw new IOException(e.getMessage(), e);
        } catch (RuntimeException | IOException e) {
            server.close();
            throw e;
        }
    }

    private void run() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment polled = arena.allocate(POLLFD, 2);
            polled.set(ValueLayout.JAVA_INT, 0, server.number());
            polled.set(ValueLayout.JAVA_SHORT, 4, POLLIN);
            polled.set(ValueLayout.JAVA_INT, 8, wake.number());
            polled.set(ValueLayout.JAVA_SHORT, 12, POLLIN);
            while (!closed) {
                var _ = LibC.poll(polled, 2, -1);
                int accepted = closed ? -1 : SocketCalls.accept(server.number());
                if (accepted >= 0) {
                    serve(accepted);
                }
            }
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, path + ": listening sockets are no longer handed on", e);
        }
    }

    private void serve(int connection) {
        try (Fd peer = Fd.own(connection, path + " peer", "")) {
            patience(peer.number());
            for (TcpListener listener : listeners.apply(credentials(peer.number()))) {
                long sent = SocketCalls.send(peer.number(), listener.fd().number());
                if (sent < 0) {
                    throw new BpfException("cannot hand on " + listener, (int) -sent);
                }
            }
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, path + ": " + e.getMessage());
        }
    }

    private static void patience(int socket) {
        try (Arena arena = Arena.ofConfined()) {
            // struct timeval
            MemorySegment time = arena.allocateFrom(ValueLayout.JAVA_LONG, PATIENCE_SECONDS, 0L);
            var _ = LibC.setSocketOption(socket, SocketCalls.SOL_SOCKET, SO_RCVTIMEO, time);
            var _ = LibC.setSocketOption(socket, SocketCalls.SOL_SOCKET, SO_SNDTIMEO, time);
        }
    }

    private static PeerCredentials credentials(int socket) {
        try (Arena arena = Arena.ofConfined()) {
            // struct ucred { pid_t pid; uid_t uid; gid_t gid; }
            MemorySegment raw = arena.allocate(ValueLayout.JAVA_INT, 3);
            BpfException.check(
                    LibC.socketOption(socket, SocketCalls.SOL_SOCKET, SO_PEERCRED, raw),
                    "cannot read the peer's credentials");
            return new PeerCredentials(
                    raw.get(ValueLayout.JAVA_INT, 0) & 0xffffffffL,
                    raw.get(ValueLayout.JAVA_INT, 4),
                    raw.get(ValueLayout.JAVA_INT, 8));
        }
    }

    /**
     * Takes what another process offers; descriptors that are no listening TCP sockets of this network namespace are
     * closed and left out.
     *
     * @return the listeners, which are the caller's
     * @throws IOException when nobody answers, or not within two seconds
     */
    public static List<TcpListener> take(Path path) throws IOException {
        List<TcpListener> taken = new ArrayList<>();
        try (Arena arena = Arena.ofConfined();
                Fd socket = Fd.own(
                        LibC.socket(SocketCalls.AF_UNIX, SocketCalls.STREAM_CLOEXEC, 0),
                        path.toString(),
                        "cannot make a socket for " + path)) {
            patience(socket.number());
            BpfException.check(
                    SocketCalls.connect(socket.number(), SocketCalls.address(arena, path)),
                    "cannot connect to " + path);
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
            while (true) {
                if (System.nanoTime() > end || taken.size() > MOST) {
                    throw new BpfException(
                            path + ": expected at most " + MOST + " listening sockets in " + PATIENCE_SECONDS + " s");
                }
                SocketCalls.Received received = SocketCalls.receive(socket.number());
                if (received.bytes < 0) {
                    throw new BpfException(path + ": cannot take listening sockets", (int) -received.bytes);
                }
                if (received.bytes == 0) {
                    return taken;
                }
                if (received.descriptor >= 0) {
                    add(taken, received.descriptor, path);
                }
            }
        } catch (BpfException e) {
            taken.forEach(TcpListener::close);
            throw new IOException(e.getMessage(), e);
        }
    }

    private static void add(List<TcpListener> taken, int descriptor, Path path) {
        try {
            taken.add(TcpListener.received(descriptor));
        } catch (BpfException e) {
            LOG.log(System.Logger.Level.WARNING, path + ": " + e.getMessage());
        }
    }

    /** Ends the offer and removes the socket's file. Idempotent. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (Arena arena = Arena.ofConfined()) {
            var _ = LibC.write(wake.number(), arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
        }
        try {
            thread.join();
            Files.deleteIfExists(path);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "close", e);
        }
        server.close();
        wake.close();
    }
}
