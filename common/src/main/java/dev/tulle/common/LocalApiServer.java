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
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import jdk.net.ExtendedSocketOptions;

/**
 * The server half of the local API: a Unix-domain socket on which each line is a request and each line back an answer
 * (JSON by convention; this class moves lines only). One virtual thread per connection; at most {@value
 * #MAX_CONNECTIONS} connections and {@value #MAX_LINE} characters a line, so that no local client can exhaust the role.
 */
public final class LocalApiServer implements AutoCloseable {
    /** Connections served at once; further ones wait in the accept queue. */
    public static final int MAX_CONNECTIONS = 256;

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
    }

    private final Path path;
    private final ServerSocketChannel server;
    private final SocketAccess access;
    private final LocalRefusals refusals;
    private final Handler handler;
    private final Set<SocketChannel> open = ConcurrentHashMap.newKeySet();
    private final Semaphore slots = new Semaphore(MAX_CONNECTIONS);

    private LocalApiServer(
            Path path, ServerSocketChannel server, SocketAccess access, LocalRefusals refusals, Handler handler) {
        this.path = path;
        this.server = server;
        this.access = access;
        this.refusals = refusals;
        this.handler = handler;
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
        Path bound = SocketFile.prepare(path);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(bound), 64);
            SocketFile.publish(bound, path, access);
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
        LocalApiServer api = new LocalApiServer(path, server, access, refusals, handler);
        Thread.ofVirtual().name("local-api-" + path.getFileName()).start(api::acceptLoop);
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
                slots.acquire();
                SocketChannel channel = server.accept();
                open.add(channel);
                Thread.ofVirtual().name("local-api-connection").start(() -> serve(channel));
            } catch (ClosedChannelException e) {
                return;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (IOException e) {
                slots.release();
                LOG.log(System.Logger.Level.WARNING, path + ": accept failed", e);
            }
        }
    }

    private void serve(SocketChannel channel) {
        try (channel;
                BufferedReader in = new BufferedReader(
                        new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8), 1 << 14)) {
            if (!admits(channel)) {
                return;
            }
            Replies replies = line -> LocalApiClient.writeLine(channel, line);
            for (String line = LocalApiClient.readLine(in); line != null; line = LocalApiClient.readLine(in)) {
                handler.handle(line, replies);
            }
        } catch (IOException | UncheckedIOException e) {
            LOG.log(System.Logger.Level.DEBUG, path + ": client gone", e);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, path + ": request failed", e);
        } finally {
            open.remove(channel);
            slots.release();
        }
    }

    /** Whether the peer may use the socket: by the user that the kernel noted when it connected. */
    private boolean admits(SocketChannel channel) throws IOException {
        UserPrincipal user =
                channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
        if (access.admits(access.numberOf(user).orElse(UNKNOWN_USER))) {
            return true;
        }
        refusals.note(String.valueOf(path.getFileName()), "user " + user.getName(), "expected " + access.expected());
        return false;
    }

    /** Stops serving, closes all connections and removes the socket file. */
    @Override
    public void close() {
        try {
            server.close();
            for (SocketChannel channel : open) {
                channel.close();
            }
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, path + ": close failed", e);
        }
    }
}
