package dev.tulle.agent.ports;

import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.Errno;
import dev.tulle.kernel.ListenerOffer;
import dev.tulle.kernel.PeerCredentials;
import dev.tulle.kernel.TcpListener;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The listening sockets of the node proxy, held by the agent for its whole life and given to each proxy as descriptors:
 * while one proxy ends and the next begins nobody else can have a port, and connections wait. Where no proxy comes for
 * {@link #PATIENCE} what waits is reset. An agent that begins takes over what a living proxy has from the agent before.
 * Thread-safe.
 */
public final class HeldPorts implements AutoCloseable {
    /** How long connections wait for a proxy before they are reset. */
    public static final Duration PATIENCE = Duration.ofSeconds(10);

    /** The name of the socket in the run directory at which a proxy takes its listeners. */
    public static final String SOCKET = "listen.sock";

    /** The folder of the run directory in which proxies hand over to each other. */
    public static final String HAND_OVER = "proxy";

    /** The same two for the mesh's edge. */
    public static final String GATEWAY_SOCKET = "gateway.sock";

    /** The folder of the run directory in which processes of the edge hand over to each other. */
    public static final String GATEWAY_HAND_OVER = "gateway";

    private static final System.Logger LOG = System.getLogger(HeldPorts.class.getName());
    private static final Duration ADOPTION = Duration.ofSeconds(6);
    private static final int BACKLOG = 4_096;
    private static final int RESETS = 4_096;

    private final Map<InetSocketAddress, TcpListener> held = new LinkedHashMap<>();
    private final int proxyUid;
    private final LongPredicate lives;
    private final LongSupplier clock;
    private @Nullable ListenerOffer offer;
    private long taker;
    private long aloneSince;

    HeldPorts(int proxyUid, LongPredicate lives, LongSupplier clock) {
        this.proxyUid = proxyUid;
        this.lives = lives;
        this.clock = clock;
        this.aloneSince = clock.getAsLong();
    }

    /**
     * Holds nothing yet, but what proxies give that an earlier agent left behind.
     *
     * @param proxyUid the user that may take sockets, besides root
     * @param handOver the directory of proxies' own offers; need not exist
     */
    public static HeldPorts adopt(int proxyUid, Path handOver) {
        HeldPorts ports = new HeldPorts(
                proxyUid,
                pid -> ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false),
                System::nanoTime);
        if (!Files.isDirectory(handOver)) {
            return ports;
        }
        try (DirectoryStream<Path> offers = Files.newDirectoryStream(handOver, "*.fds")) {
            long end = System.nanoTime() + ADOPTION.toNanos();
            for (Path one : offers) {
                // Whoever has the proxy's user can offer as often and as slowly as he likes.
                if (System.nanoTime() > end) {
                    LOG.log(System.Logger.Level.WARNING, handOver + ": too many offers of listening sockets");
                    break;
                }
                ports.adopt(one);
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, handOver + ": " + e.getMessage());
        }
        return ports;
    }

    private synchronized void adopt(Path other) {
        try {
            for (TcpListener listener : ListenerOffer.take(other)) {
                if (held.putIfAbsent(listener.address(), listener) != null) {
                    listener.close();
                }
            }
        } catch (IOException e) {
            // The socket of a proxy that was killed.
            LOG.log(System.Logger.Level.DEBUG, "listening sockets of " + other + ": " + e.getMessage());
        }
    }

    /**
     * Begins to hold an address; nothing happens where it is held already.
     *
     * @throws IOException with one sentence that names who has it
     */
    public synchronized void hold(InetSocketAddress address) throws IOException {
        if (held.containsKey(address)) {
            return;
        }
        if (held.isEmpty()) {
            // Nobody has been waited for while there was nothing to take.
            aloneSince = clock.getAsLong();
        }
        try {
            held.put(address, TcpListener.open(address, BACKLOG));
        } catch (BpfException e) {
            String where = address.getAddress().getHostAddress() + " port " + address.getPort();
            throw new IOException(
                    e.errno() == Errno.EADDRINUSE
                            ? where + " is in use by " + PortOwner.of(address)
                            : where + " cannot be opened: " + e.getMessage(),
                    e);
        }
    }

    /** Stops holding an address. A proxy that has it goes on until it gives it up, too. */
    public synchronized void release(InetSocketAddress address) {
        TcpListener listener = held.remove(address);
        if (listener != null) {
            listener.close();
        }
    }

    /**
     * Gives what is held to proxies from now on.
     *
     * @throws IOException when the socket cannot be made
     */
    public synchronized void offer(Path socket) throws IOException {
        offer = ListenerOffer.start(socket, proxyUid, this::given);
    }

    synchronized List<TcpListener> given(PeerCredentials peer) {
        if (peer.uid() != proxyUid && peer.uid() != 0) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "process " + peer.pid() + " of user " + peer.uid() + " asked for the mesh's listening sockets:"
                            + " refused, they are for user " + proxyUid);
            return List.of();
        }
        taker = peer.pid();
        return List.copyOf(held.values());
    }

    /** What is held now. Do not close. */
    public synchronized List<TcpListener> listeners() {
        return List.copyOf(held.values());
    }

    /** Resets what has waited too long; to be called some times a second. */
    public synchronized void sweep() {
        long now = clock.getAsLong();
        if (taker != 0 && lives.test(taker)) {
            aloneSince = now;
            return;
        }
        if (now - aloneSince < PATIENCE.toNanos()) {
            return;
        }
        for (TcpListener listener : held.values()) {
            int reset = listener.resetWaiting(RESETS);
            if (reset > 0) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        reset + " connections to " + listener.address() + " are reset: no proxy has come for "
                                + PATIENCE.toSeconds() + " s");
            }
        }
    }

    /** Ends this process's hold; a proxy goes on with what it has. Idempotent. */
    @Override
    public void close() {
        ListenerOffer ending;
        List<TcpListener> listeners;
        synchronized (this) {
            ending = offer;
            offer = null;
            listeners = new ArrayList<>(held.values());
            held.clear();
        }
        if (ending != null) {
            ending.close();
        }
        listeners.forEach(TcpListener::close);
    }
}
