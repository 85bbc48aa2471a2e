package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What follows a chunked body reaches the other side, but for fields by which something was decided already. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class TrailersTest {
    private static final String REQUEST = """
            POST / HTTP/1.1
            Host: w
            Transfer-Encoding: chunked
            Trailer: X-Up
            Connection: close

            3
            abc
            0
            X-Up: 1
            Host: other
            X-Forwarded-For: 192.0.2.1
            Authorization: Basic YQ==
            x-more:2

            """.replace("\n", "\r\n");
    private static final String RESPONSE = """
            HTTP/1.1 200 OK
            Transfer-Encoding: chunked
            Trailer: X-Sum

            5
            hello
            0
            Content-Length: 9
            X-Sum: 42
            Set-Cookie: a=b

            """.replace("\n", "\r\n");

    private static String readTo(InputStream in, String end) throws Exception {
        StringBuilder read = new StringBuilder();
        for (int c = in.read(); c >= 0; c = in.read()) {
            read.append((char) c);
            if (!end.isEmpty() && read.toString().endsWith(end)) {
                break;
            }
        }
        return read.toString();
    }

    @Test
    void passBothWays() throws Exception {
        CompletableFuture<String> seen = new CompletableFuture<>();
        try (ServerSocket server = new ServerSocket(0, 4, InetAddress.getLoopbackAddress())) {
            Thread.ofVirtual().start(() -> {
                try (Socket socket = server.accept()) {
                    String head = readTo(socket.getInputStream(), "\r\n\r\n");
                    String body = readTo(socket.getInputStream(), "\r\n\r\n");
                    socket.getOutputStream().write(RESPONSE.getBytes(StandardCharsets.ISO_8859_1));
                    seen.complete(head + body);
                } catch (Exception e) {
                    seen.completeExceptionally(e);
                }
            });
            try (ProxyFixture mesh = new ProxyFixture(
                            Meshes.mesh().subset("", server.getLocalPort()).build());
                    RawClient client = new RawClient(mesh.port)) {
                client.send(REQUEST);
                String answer = readTo(client.in(), "");
                String request = seen.get(5, TimeUnit.SECONDS);
                assertTrue(request.endsWith("3\r\nabc\r\n0\r\nX-Up: 1\r\nx-more:2\r\n\r\n"), request);
                assertTrue(request.contains("Trailer: X-Up\r\n"), request);
                assertTrue(answer.endsWith("5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"), answer);
                assertEquals(1, answer.split("Trailer: X-Sum", -1).length - 1, answer);
            }
        }
    }
}
