package dev.tulle.proxy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A server of HTTP/2 whose every frame a test decides: a script for each connection, in its own thread. */
final class H2Server implements AutoCloseable {
    /** SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441). */
    static final byte[] CONNECTS = {0, 8, 0, 0, 0, 1};

    static final byte[] NOTHING = {};

    /** What a connection does; it closes after that. */
    interface Script {
        void serve(H2Frames frames, int number) throws IOException, InterruptedException;
    }

    final AtomicInteger connections = new AtomicInteger();

    /** What scripts failed with, which a test may want to see. */
    final List<Throwable> failures = new CopyOnWriteArrayList<>();

    private final ServerSocket server;
    private final List<Socket> open = new CopyOnWriteArrayList<>();

    H2Server(byte[] settings, Script script) throws IOException {
        this("127.0.0.1", settings, script);
    }

    /** At an address of the loopback device. */
    H2Server(String address, byte[] settings, Script script) throws IOException {
        server = new ServerSocket(0, 64, InetAddress.getByName(address));
        Thread.ofVirtual().start(() -> {
            while (!server.isClosed()) {
                try {
                    Socket socket = server.accept();
                    socket.setTcpNoDelay(true);
                    open.add(socket);
                    int number = connections.incrementAndGet();
                    Thread.ofVirtual().start(() -> serve(socket, settings, script, number));
                } catch (IOException e) {
                    return;
                }
            }
        });
    }

    private void serve(Socket socket, byte[] settings, Script script, int number) {
        try (socket;
                H2Frames frames = new H2Frames(socket, settings)) {
            script.serve(frames, number);
        } catch (IOException | UncheckedIOException | InterruptedException | AssertionError e) {
            failures.add(e);
        }
    }

    int port() {
        return server.getLocalPort();
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (Socket socket : open) {
            socket.close();
        }
    }
}
