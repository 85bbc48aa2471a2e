package dev.tulle.common;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import jdk.net.ExtendedSocketOptions;

/**
 * The server half of the local API: a Unix-domain socket on which each line is a request and each line back an answer
 * (JSON by convention; this class moves lines only). One virtual thread per connection. Strangers
 * are closed at once; connections of a user, characters and time of a line are bounded, so that no local client exhausts
 * the role or keeps others from it.
 */
public final class LocalApiServer implements AutoCloseable {
    /** Connections of root, and of the user that serves; further ones are closed. */
    public static final int MAX_CONNECTIONS = 256;

    /** Connections of any other user. */
    static final int MAX_PER_USER = 64;

    /** How long a line may take from its first byte to its end, and an answer to be taken. */
    static final Duration LINE_TIME = Duration.ofSeconds(10);

    /** From this length on, in characters, requests are read and answered one at a time. */
    static final int LARGE_LINE = 1 << 20;

    private static final Duration LOOK = Duration.ofMillis(500);
    private static final Duration ACCEPT_PAUSE = Duration.ofMillis(50);

    /** The longest request line, in characters: a 10 MiB manifest, escaped, fits. */
    public static final int MAX_LINE = 32 << 20;

    private static final int UNKNOWN_USER = -1;

    private static final System.Logger LOG = System.getLogger(LocalApiServer.class.getName());

    /** Answers the requests of one connection. */
    @FunctionalInterface
    public interface Handler {
        /**
         * Answers one request; runs on the connection's virtual thread and may block.
         *
         * @param request the request line, without its line end
         * @param replies takes answer lines without line ends; may be called several times for a stream
         * @throws IOException when the client has gone
         */
        void handle(String request, Replies replies) throws IOException;
    }

    /** Takes the answer lines of one request. */
    @FunctionalInterface
    public interface Replies {
        /**
         * Sends one line.
         *
         * @throws IOException when the client has gone
         */
        void send(String line) throws IOException;

        /** True when root asks, or the user that serves: what others may not have done for them. */
        default boolean areForOwner() {
            return false;
        }
    }

    private final Path path;
    private final ServerSocketChannel server;
    private final SocketAccess access;
    private final LocalRefusals refusals;
    private final Handler handler;
    private final Duration lineTime;
    private final Set<Connection> open = ConcurrentHashMap.newKeySet();

    /** One large request at a time: its text, its tree and what is made of it are in memory together. */
    private final Semaphore large = new Semaphore(1);

    private LocalApiServer(
            Path path,
            ServerSocketChannel server,
            SocketAccess access,
            LocalRefusals refusals,
            Handler handler,
            Duration lineTime) {
        this.path = path;
        this.server = server;
        this.access = access;
        this.refusals = refusals;
        this.handler = handler;
        this.lineTime = lineTime;
    }

    /**
     * Binds the socket and starts to serve. A stale socket file from an earlier process is replaced.
     *
     * @param path where the socket is made; its directory is created
     * @param access who may use it
     * @param refusals told of everybody else
     * @throws IOException when the socket cannot be bound, or another live process serves it
     */
    public static LocalApiServer start(Path path, SocketAccess access, LocalRefusals refusals, Handler handler)
            throws IOException {
        return start(path, access, refusals, handler, LINE_TIME);
    }

    static LocalApiServer start(
            Path path, SocketAccess access, LocalRefusals refusals, Handler handler, Duration lineTime)
            throws IOException {
        Path bound = SocketFile.prepare(path);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(bound), 64);
            SocketFile.publish(bound, path, access);
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
        LocalApiServer api = new LocalApiServer(path, server, access, refusals, handler, lineTime);
        Thread.ofVirtual().name("local-api-" + path.getFileName()).start(api::acceptLoop);
        Thread.ofVirtual().name("local-api-stuck").start(api::closeStuck);
        return api;
    }

    /**
     * As above, for the user of this process and root alone.
     *
     * @throws IOException when the socket cannot be bound, or another live process serves it
     */
    public static LocalApiServer start(Path path, Handler handler) throws IOException {
        return start(path, SocketAccess.owner(), new LocalRefusals(), handler);
    }

    private void acceptLoop() {
        while (server.isOpen()) {
            try {
                take(server.accept());
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                refusals.note(where(), "a connection", "it cannot be accepted: " + e.getMessage());
                LockSupport.parkNanos(ACCEPT_PAUSE.toNanos());
            }
        }
    }

    /** Strangers and those who have enough connections are closed here, at no cost to others. */
    private void take(SocketChannel channel) throws IOException {
        boolean taken = false;
        try {
            UserPrincipal user =
                    channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
            int uid = access.numberOf(user).orElse(UNKNOWN_USER);
            if (admits(user, uid)) {
                Connection connection = new Connection(channel, user, SocketAccess.isOwner(uid));
                open.add(connection);
                Thread.ofVirtual().name("local-api-connection").start(() -> serve(connection));
                taken = true;
            }
        } finally {
            if (!taken) {
                channel.close();
            }
        }
    }

    private String where() {
        return String.valueOf(path.getFileName());
    }

    /** Closes connections that have begun a line, or been sent one, and do not go on. */
    private void closeStuck() {
        while (server.isOpen()) {
            LockSupport.parkNanos(LOOK.toNanos());
            long now = System.nanoTime();
            for (Connection connection : open) {
                long since = connection.busySince;
                if (since != 0 && now - since > lineTime.toNanos()) {
                    refusals.note(
                            where(),
                            "user " + connection.user.getName(),
                            "a line took more than " + lineTime.toMillis() + " ms");
                    connection.close();
                }
            }
        }
    }

    /** One client. */
    private static final class Connection {
        final SocketChannel channel;
        final UserPrincipal user;
        final boolean owner;

        /** When a line began to come, or to be written, in {@link System#nanoTime}; 0 while neither is so. */
        volatile long busySince;

        Connection(SocketChannel channel, UserPrincipal user, boolean owner) {
            this.channel = channel;
            this.user = user;
            this.owner = owner;
        }

        void close() {
            try {
                channel.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "close", e);
            }
        }
    }

    private void serve(Connection connection) {
        SocketChannel channel = connection.channel;
        try (channel;
                BufferedReader in = new BufferedReader(
                        new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8), 1 << 12)) {
            Replies replies = new Replies() {
                @Override
                public void send(String line) throws IOException {
                    connection.busySince = System.nanoTime();
                    LocalApiClient.writeLine(channel, line);
                    connection.busySince = 0;
                }

                @Override
                public boolean areForOwner() {
                    return connection.owner;
                }
            };
            for (int first = in.read(); first >= 0; first = in.read()) {
                connection.busySince = System.nanoTime();
                Line line = readLine(in, first);
                connection.busySince = 0;
                try {
                    handler.handle(line.text, replies);
                } finally {
                    if (line.large) {
                        large.release();
                    }
                }
            }
        } catch (IOException | UncheckedIOException e) {
            LOG.log(System.Logger.Level.DEBUG, path + ": client gone", e);
        } catch (RuntimeException e) {
            refusals.note(where(), "user " + connection.user.getName(), "a request failed: " + e);
        } finally {
            open.remove(connection);
        }
    }

    /**
     * A request.
     *
     * @param large true when it holds the one place for large requests
     */
    private record Line(String text, boolean large) {}

    private Line readLine(BufferedReader in, int first) throws IOException {
        StringBuilder line = new StringBuilder();
        boolean holds = false;
        boolean read = false;
        try {
            for (int c = first; c >= 0 && c != '\n'; c = in.read()) {
                if (line.length() >= MAX_LINE) {
                    throw new IOException("a line is longer than " + MAX_LINE + " characters");
                }
                if (line.length() >= LARGE_LINE && !holds) {
                    if (!large.tryAcquire(LINE_TIME.toMillis(), TimeUnit.MILLISECONDS)) {
                        throw new IOException("another large request is under way");
                    }
                    holds = true;
                }
                line.append((char) c);
            }
            read = true;
            return new Line(line.toString(), holds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            if (holds && !read) {
                large.release();
            }
        }
    }

    /** Whether the peer may use the socket: by the user that the kernel noted when it connected. */
    private boolean admits(UserPrincipal user, int uid) {
        if (!access.admits(uid)) {
            refusals.note(where(), "user " + user.getName(), "expected " + access.expected());
            return false;
        }
        int limit = SocketAccess.isOwner(uid) ? MAX_CONNECTIONS : MAX_PER_USER;
        if (open.stream().filter(connection -> connection.user.equals(user)).count() >= limit) {
            refusals.note(where(), "user " + user.getName(), "expected at most " + limit + " connections of a user");
            return false;
        }
        return true;
    }

    /** Stops serving, closes all connections and removes the socket file. */
    @Override
    public void close() {
        try {
            server.close();
            open.forEach(Connection::close);
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, path + ": close failed", e);
        }
    }
}
