package dev.tulle.common;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Serves small pages (readiness, metrics) over HTTP/1.1 in a way that nobody can keep from others: one thread moves all
 * bytes and waits for nobody; pages are made on threads of their own, each page once for all who wait for it; what is
 * slow, idle or too much is closed, the idlest first. Its bounds are in {@link Limits}. Thread-safe.
 */
public final class PageServer implements AutoCloseable {
    /**
     * What a server puts up with.
     *
     * @param connections open at once on all ports; one more closes the one that has been idle, then reading, then writing
     *     for longest
     * @param head how long a request's head may take
     * @param idle how long a connection may be idle between two requests
     * @param send how long a client may take none of its answer
     * @param make how long a page may take; then the answer is 503
     * @param unsentBytes answers that wait for slow readers, in all; more closes the slowest
     */
    public record Limits(
            int connections, Duration head, Duration idle, Duration send, Duration make, long unsentBytes) {
        /** What local tools and a few collectors of metrics need. */
        public static final Limits DEFAULT = new Limits(
                64,
                Duration.ofSeconds(5),
                Duration.ofSeconds(75),
                Duration.ofSeconds(10),
                Duration.ofSeconds(5),
                32L << 20);
    }

    private static final System.Logger LOG = System.getLogger(PageServer.class.getName());

    /** How often deadlines are looked at while there are connections, in milliseconds. */
    private static final long TICK = 100;

    private static final int BACKLOG = 1_024;

    private final Limits limits;
    private final Selector selector;
    private final Thread thread;
    private final List<ServerSocketChannel> listening = new ArrayList<>();
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicLong evicted = new AtomicLong();
    // Of the thread alone.
    private final List<PageConnection> open = new ArrayList<>();
    private volatile boolean closed;

    private PageServer(String name, Limits limits, Selector selector) {
        this.limits = limits;
        this.selector = selector;
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    }

    /**
     * Starts one that listens nowhere yet.
     *
     * @param name of its thread
     * @throws IOException when the system gives no selector
     */
    public static PageServer start(String name, Limits limits) throws IOException {
        PageServer server = new PageServer(name, limits, Selector.open());
        server.thread.start();
        return server;
    }

    /**
     * Serves pages on a TCP port.
     *
     * @param pages by path
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int listen(InetAddress address, int port, Map<String, Page> pages) throws IOException {
        ServerSocketChannel channel = ServerSocketChannel.open();
        try {
            channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            channel.bind(new InetSocketAddress(address, port), BACKLOG);
        } catch (IOException e) {
            channel.close();
            throw new IOException(
                    "cannot listen on " + Ip.inBrackets(address.getHostAddress()) + ":" + port + ": " + e.getMessage(),
                    e);
        }
        listen(channel, pages);
        return ((InetSocketAddress) channel.getLocalAddress()).getPort();
    }

    /**
     * Serves pages on a socket that listens already, which then belongs to the server.
     *
     * @throws IOException when the socket is closed
     */
    public void listen(ServerSocketChannel channel, Map<String, Page> pages) throws IOException {
        channel.configureBlocking(false);
        Map<String, PageMaker> makers = new TreeMap<>();
        pages.forEach((path, page) -> makers.put(path, new PageMaker(path, page, limits.make())));
        synchronized (listening) {
            listening.add(channel);
        }
        onThread(() -> {
            try {
                channel.register(selector, SelectionKey.OP_ACCEPT, makers);
            } catch (IOException e) {
                LOG.log(System.Logger.Level.WARNING, "pages: " + e);
            }
        });
    }

    /** Connections that were closed for others so far. */
    public long evicted() {
        return evicted.get();
    }

    /** Runs on the thread, soon. */
    void onThread(Runnable task) {
        tasks.add(task);
        selector.wakeup();
    }

    private void run() {
        try {
            while (!closed) {
                selector.select(this::ready, open.isEmpty() ? 0 : TICK);
                for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
                    task.run();
                }
                expire(System.nanoTime());
            }
        } catch (IOException | ClosedSelectorException e) {
            if (!closed) {
                LOG.log(System.Logger.Level.ERROR, "pages are not served any more", e);
            }
        } finally {
            List.copyOf(open).forEach(PageConnection::close);
        }
    }

    // The attachment is what listen() has given.
    @SuppressWarnings("unchecked")
    private void ready(SelectionKey key) {
        if (!key.isValid()) {
            return;
        }
        if (key.attachment() instanceof PageConnection connection) {
            connection.ready();
        } else if (key.attachment() instanceof Map<?, ?> makers) {
            accept((ServerSocketChannel) key.channel(), (Map<String, PageMaker>) makers);
        }
    }

    private void accept(ServerSocketChannel from, Map<String, PageMaker> makers) {
        try {
            // Some at a time, so that a flood of connections leaves time for those that are open.
            for (int i = 0; i < limits.connections() / 4 + 1; i++) {
                SocketChannel channel = from.accept();
                if (channel == null) {
                    return;
                }
                if (open.size() >= limits.connections()) {
                    evict(Comparator.comparing(PageConnection::phase).thenComparing(PageConnection::since));
                }
                channel.configureBlocking(false);
                PageConnection connection = new PageConnection(this, channel, makers, limits);
                open.add(connection);
                connection.register(channel.register(selector, SelectionKey.OP_READ, connection));
            }
        } catch (IOException e) {
            // No free descriptor, for example: closing one of ours makes room for the next.
            LOG.log(System.Logger.Level.DEBUG, "pages: " + e);
            if (open.isEmpty()) {
                pause();
            } else {
                evict(Comparator.comparing(PageConnection::phase).thenComparing(PageConnection::since));
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(TICK / 5);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void evict(Comparator<PageConnection> order) {
        evicted.incrementAndGet();
        open.stream().min(order).ifPresent(PageConnection::close);
    }

    /** An answer of this size is about to wait; makes room for it. */
    void makeRoom(PageConnection of, long bytes) {
        long unsent = bytes;
        List<PageConnection> slow = new ArrayList<>();
        for (PageConnection connection : open) {
            if (!connection.equals(of) && connection.unsent() > 0) {
                unsent += connection.unsent();
                slow.add(connection);
            }
        }
        slow.sort(Comparator.comparing(PageConnection::since));
        for (PageConnection connection : slow) {
            if (unsent <= limits.unsentBytes()) {
                return;
            }
            unsent -= connection.unsent();
            evicted.incrementAndGet();
            connection.close();
        }
    }

    void gone(PageConnection connection) {
        open.remove(connection);
    }

    private void expire(long now) {
        for (PageConnection connection : List.copyOf(open)) {
            if (now - connection.deadline() >= 0) {
                connection.expired();
            }
        }
    }

    /** Stops listening at once and closes all connections. Idempotent. */
    @Override
    public void close() {
        closed = true;
        synchronized (listening) {
            for (ServerSocketChannel channel : listening) {
                try {
                    channel.close();
                } catch (IOException e) {
                    LOG.log(System.Logger.Level.DEBUG, "pages: " + e);
                }
            }
            listening.clear();
        }
        selector.wakeup();
        try {
            thread.join(1_000);
            // A closed channel is given back when its selector looks the next time, or is closed.
            selector.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "pages: " + e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
