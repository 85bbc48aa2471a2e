package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Bulk transfers of programs that have small socket buffers on both ends. Without the proxy the receiver's small buffer makes
 * the kernel acknowledge early; an acknowledgement that the proxy's kernel holds back costs such a sender 40 ms for each
 * 64 KiB.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SmallBuffersTest {
    private static final int SMALL = 16 << 10;
    private static final int SIZE = 8_000_000;
    /** Held back, each 64 KiB take 40 ms: that would be 5 s. */
    private static final Duration LIMIT = Duration.ofMillis(1_500);

    private static final int ACK = 1;

    private static final byte[] PIECE = new byte[128 << 10];

    private interface Transfer {
        void run() throws Exception;
    }

    private static void isSwift(Transfer transfer) throws Exception {
        long began = System.nanoTime();
        transfer.run();
        Duration took = Duration.ofNanos(System.nanoTime() - began);
        assertTrue(took.compareTo(LIMIT) < 0, took.toMillis() + " ms");
    }

    private static Socket client(int port) throws IOException {
        Socket socket = new Socket();
        socket.setSendBufferSize(SMALL);
        socket.setReceiveBufferSize(SMALL);
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        return socket;
    }

    private static void send(OutputStream out, int bytes) throws IOException {
        for (int left = bytes; left > 0; left -= PIECE.length) {
            out.write(PIECE, 0, Math.min(left, PIECE.length));
        }
    }

    private static void say(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static long drain(InputStream in) throws IOException {
        byte[] piece = new byte[64 << 10];
        long all = 0;
        for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
            all += n;
        }
        return all;
    }

    private interface Server {
        void serve(InputStream in, OutputStream out) throws IOException;
    }

    /** A server with small buffers; requests, where there are heads, are read by it. */
    private static ServerSocket server(Server server) throws IOException {
        ServerSocket listener = new ServerSocket();
        listener.setReceiveBufferSize(SMALL);
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        Thread.ofPlatform().daemon().start(() -> {
            while (true) {
                try (Socket socket = listener.accept()) {
                    socket.setSendBufferSize(SMALL);
                    server.serve(socket.getInputStream(), socket.getOutputStream());
                } catch (IOException e) {
                    return;
                }
            }
        });
        return listener;
    }

    private static ProxyFixture bytesTo(ServerSocket server) throws IOException {
        return new ProxyFixture(Meshes.mesh()
                .subset("", server.getLocalPort())
                .tcp(new WeightedCluster(Meshes.cluster(""), 1))
                .build());
    }

    private static ProxyFixture httpTo(ServerSocket server) throws IOException {
        return new ProxyFixture(Meshes.mesh().subset("", server.getLocalPort()).build());
    }

    @Test
    void bytesToTheServer() throws Exception {
        try (ServerSocket server = server((in, out) -> say(out, Long.toString(drain(in))));
                ProxyFixture proxy = bytesTo(server);
                Socket client = client(proxy.port)) {
            isSwift(() -> {
                send(client.getOutputStream(), SIZE);
                client.shutdownOutput();
                assertEquals(
                        Integer.toString(SIZE),
                        new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1));
            });
        }
    }

    @Test
    void bytesToTheClient() throws Exception {
        try (ServerSocket server = server((_, out) -> send(out, SIZE));
                ProxyFixture proxy = bytesTo(server);
                Socket client = client(proxy.port)) {
            isSwift(() -> assertEquals(SIZE, drain(client.getInputStream())));
        }
    }

    @Test
    void aRequestsBody() throws Exception {
        try (ServerSocket server = server((in, out) -> {
                    Origin.readHead(in);
                    in.skipNBytes(SIZE);
                    say(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                });
                ProxyFixture proxy = httpTo(server);
                Socket client = client(proxy.port)) {
            isSwift(() -> {
                say(client.getOutputStream(), "PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: " + SIZE + "\r\n\r\n");
                send(client.getOutputStream(), SIZE);
                assertTrue(Origin.readHead(client.getInputStream()).startsWith("HTTP/1.1 200"));
            });
        }
    }

    @Test
    void aResponsesBody() throws Exception {
        for (String length : new String[] {"Content-Length: " + SIZE + "\r\n", ""}) {
            try (ServerSocket server = server((in, out) -> {
                        Origin.readHead(in);
                        say(out, "HTTP/1.1 200 OK\r\n" + length + "\r\n");
                        send(out, SIZE);
                    });
                    ProxyFixture proxy = httpTo(server);
                    Socket client = client(proxy.port)) {
                isSwift(() -> {
                    say(client.getOutputStream(), "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
                    Origin.readHead(client.getInputStream());
                    assertTrue(drain(client.getInputStream()) >= SIZE);
                });
            }
        }
    }

    @Test
    void bothWaysOfATunnel() throws Exception {
        try (ServerSocket server = server((in, out) -> {
                    Origin.readHead(in);
                    say(out, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
                    in.skipNBytes(SIZE / 2);
                    send(out, SIZE / 2);
                });
                ProxyFixture proxy = httpTo(server);
                Socket client = client(proxy.port)) {
            isSwift(() -> {
                say(
                        client.getOutputStream(),
                        "GET / HTTP/1.1\r\nHost: web\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
                Origin.readHead(client.getInputStream());
                send(client.getOutputStream(), SIZE / 2);
                assertEquals(SIZE / 2, drain(client.getInputStream()));
            });
        }
    }

    /** Each stream stays within its window, so that nothing but acknowledgements lets its client go on. */
    @Test
    void bodiesOfHttp2() throws Exception {
        int each = 240_000;
        int frames = 16;
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames client = new H2Frames(proxy.port, SMALL)) {
            // The windows that the proxy offers hold from here on.
            client.frame(H2Frames.SETTINGS, ACK, 0, new byte[0]);
            isSwift(() -> {
                for (int i = 0; i < SIZE / each; i++) {
                    int stream = 2 * i + 1;
                    byte[] body = H2Frames.of(H2Frames.DATA, 0, stream, new byte[each / frames]);
                    byte[] all = new byte[frames * body.length];
                    for (int at = 0; at < all.length; at += body.length) {
                        System.arraycopy(body, 0, all, at, body.length);
                    }
                    client.post(stream).send(all).frame(H2Frames.DATA, H2Frames.END_STREAM, stream, new byte[0]);
                    client.until(H2Frames.DATA);
                }
            });
            assertEquals(SIZE / each, origin.requests.size());
        }
    }
}
