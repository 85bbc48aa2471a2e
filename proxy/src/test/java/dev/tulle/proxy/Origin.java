package dev.tulle.proxy;

import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** A server whose every byte a test decides: reads requests strictly and hands each to a script. */
final class Origin implements AutoCloseable {
    /** One request as it arrived; bytes are characters of the same number. */
    record Request(String head, String body, int connection) {
        String line() {
            return head.substring(0, head.indexOf('\r'));
        }

        /** The value of a field, empty when absent. */
        String field(String name) {
            for (String line : head.split("\r\n")) {
                if (line.toLowerCase(Locale.ROOT).startsWith(name.toLowerCase(Locale.ROOT) + ":")) {
                    return line.substring(name.length() + 1).trim();
                }
            }
            return "";
        }
    }

    /** Answers a request; false closes the connection. */
    interface Script {
        boolean answer(Request request, OutputStream out, Socket socket) throws IOException, InterruptedException;
    }

    final List<Request> requests = new CopyOnWriteArrayList<>();
    final AtomicInteger connections = new AtomicInteger();

    /** Bytes that were read of all connections. */
    final AtomicLong received = new AtomicLong();

    private final ServerSocket server;
    private final List<Socket> open = new CopyOnWriteArrayList<>();

    private final Thread acceptor;

    private Origin(ServerSocket server, Script script) {
        this.server = server;
        this.acceptor = Thread.ofVirtual().start(() -> accept(script));
    }

    static Origin start(Script script) throws IOException {
        return start(0, script);
    }

    private static Origin start(int port, Script script) throws IOException {
        return at("127.0.0.1", port, script);
    }

    /** At an address of the loopback device. */
    static Origin at(String address, int port, Script script) throws IOException {
        return new Origin(new ServerSocket(port, 256, InetAddress.getByName(address)), script);
    }

    /** Answers every request with 200 and a text. */
    static Origin answering(String text) throws IOException {
        return answering(0, text);
    }

    /** As above, on this port. */
    static Origin answering(int port, String text) throws IOException {
        return start(port, answer(text));
    }

    /** The script of that. */
    static Script answer(String text) {
        return (request, out, socket) -> {
            boolean head = request.head.startsWith("HEAD ");
            out.write(("HTTP/1.1 200 OK\r\nContent-Length: " + text.length() + "\r\n\r\n" + (head ? "" : text))
                    .getBytes(StandardCharsets.ISO_8859_1));
            return true;
        };
    }

    int port() {
        return server.getLocalPort();
    }

    private void accept(Script script) {
        while (!server.isClosed()) {
            try {
                Socket socket = server.accept();
                socket.setTcpNoDelay(true);
                open.add(socket);
                int number = connections.incrementAndGet();
                Thread.ofVirtual().start(() -> serve(socket, number, script));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(Socket socket, int number, Script script) {
        try (socket) {
            InputStream in = new BufferedInputStream(counted(socket.getInputStream()));
            while (true) {
                String head = readHead(in);
                if (head.isEmpty()) {
                    return;
                }
                byte[] body = readBody(new Request(head, "", number), in);
                Request request = new Request(head, new String(body, StandardCharsets.ISO_8859_1), number);
                requests.add(request);
                if (!script.answer(request, socket.getOutputStream(), socket)) {
                    return;
                }
                socket.getOutputStream().flush();
            }
        } catch (IOException | InterruptedException e) {
            // The proxy closed the connection, as some tests want it.
            open.remove(socket);
        }
    }

    private InputStream counted(InputStream socket) {
        return new FilterInputStream(socket) {
            @Override
            public int read(byte[] into, int offset, int length) throws IOException {
                int count = super.read(into, offset, length);
                received.addAndGet(Math.max(count, 0));
                return count;
            }
        };
    }

    static String readHead(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int c = in.read();
            if (c < 0) {
                return "";
            }
            head.append((char) c);
        }
        return head.toString();
    }

    private static byte[] readBody(Request request, InputStream in) throws IOException {
        if (request.field("transfer-encoding").equals("chunked")) {
            return readChunks(in);
        }
        String length = request.field("content-length");
        return in.readNBytes(length.isEmpty() ? 0 : Integer.parseInt(length));
    }

    static byte[] readChunks(InputStream in) throws IOException {
        java.io.ByteArrayOutputStream body = new java.io.ByteArrayOutputStream();
        while (true) {
            int size = Integer.parseInt(readLine(in), 16);
            body.write(in.readNBytes(size));
            if (!readLine(in).isEmpty()) {
                throw new IOException("a chunk does not end where it should");
            }
            if (size == 0) {
                return body.toByteArray();
            }
        }
    }

    private static String readLine(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new IOException("end of stream");
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    @Override
    public void close() throws IOException {
        server.close();
        try {
            // While somebody still waits in accept() the port stays open.
            acceptor.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        for (Socket socket : open) {
            socket.close();
        }
    }
}
