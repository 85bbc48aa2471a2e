package dev.tulle.proxy;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A client that sends exactly the bytes it is told to. */
final class RawClient implements AutoCloseable {
    /** A response. */
    record Response(int code, String head, String body) {
        String field(String name) {
            return new Origin.Request(head, "", 0).field(name);
        }
    }

    final Socket socket;
    private final InputStream in;

    RawClient(int port) throws IOException {
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(10_000);
        in = new BufferedInputStream(socket.getInputStream());
    }

    /** One request on a connection of its own. */
    static Response once(int port, String request) throws IOException {
        try (RawClient client = new RawClient(port)) {
            return client.send(request).read(false);
        }
    }

    /** A GET on a connection of its own. */
    static Response get(int port, String path, String... fields) throws IOException {
        StringBuilder request = new StringBuilder("GET " + path + " HTTP/1.1\r\nHost: web\r\n");
        for (String field : fields) {
            request.append(field).append("\r\n");
        }
        return once(port, request.append("\r\n").toString());
    }

    RawClient send(String bytes) throws IOException {
        socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
        return this;
    }

    InputStream in() {
        return in;
    }

    /** Reads one response, by its own framing. */
    Response read(boolean toHead) throws IOException {
        String head = Origin.readHead(in);
        if (head.isEmpty()) {
            return new Response(0, "", "");
        }
        int code = Integer.parseInt(head.substring(9, 12));
        Response bare = new Response(code, head, "");
        if (toHead || code < 200 || code == 204 || code == 304) {
            return bare;
        }
        byte[] body;
        if (bare.field("transfer-encoding").equals("chunked")) {
            body = Origin.readChunks(in);
        } else if (!bare.field("content-length").isEmpty()) {
            int length = Integer.parseInt(bare.field("content-length"));
            body = in.readNBytes(length);
            if (body.length < length) {
                throw new IOException("the body ends after " + body.length + " of " + length + " bytes");
            }
        } else {
            body = in.readAllBytes();
        }
        return new Response(code, head, new String(body, StandardCharsets.ISO_8859_1));
    }

    /** True when the server closes without sending anything more. */
    boolean isClosed() throws IOException {
        try {
            return in.read() < 0;
        } catch (java.net.SocketException e) {
            // Closed with bytes of ours unread: a reset.
            return true;
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
