package dev.tulle.proxy;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An end of a connection of HTTP/1.1. */
final class Http1End extends WireEnd {
    private static final int PIECE = 16 << 10;

    private final Socket socket;
    private final InputStream in;
    private final OutputStream out;
    private Framing sends = Framing.NONE;
    private Framing reads = Framing.NONE;
    private long left;

    Http1End(Socket socket) throws IOException {
        this.socket = socket;
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(20_000);
        in = new BufferedInputStream(socket.getInputStream(), PIECE);
        out = socket.getOutputStream();
    }

    private void say(String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    void head(String start, Framing framing, long length, String... fields) throws IOException {
        boolean response = Character.isDigit(start.charAt(0));
        StringBuilder head = new StringBuilder(
                response ? "HTTP/1.1 " + start + " X\r\n" : start + " " + path + " HTTP/1.1\r\nHost: web\r\n");
        for (int i = 0; i < fields.length; i += 2) {
            head.append(fields[i]).append(": ").append(fields[i + 1]).append("\r\n");
        }
        boolean empty = response && !start.startsWith("1") && !start.equals("204") && !start.equals("304");
        head.append(
                switch (framing) {
                    case LENGTH -> "Content-Length: " + length + "\r\n\r\n";
                    case OPEN -> "Transfer-Encoding: chunked\r\n\r\n";
                    case NONE -> empty ? "Content-Length: 0\r\n\r\n" : "\r\n";
                });
        sends = framing;
        say(head.toString());
    }

    @Override
    void data(byte[] piece) throws IOException {
        if (sends == Framing.OPEN) {
            say(Integer.toHexString(piece.length) + "\r\n");
        }
        out.write(piece);
        if (sends == Framing.OPEN) {
            say("\r\n");
        }
    }

    @Override
    void end(String... more) throws IOException {
        if (sends == Framing.OPEN) {
            StringBuilder last = new StringBuilder("0\r\n");
            for (int i = 0; i < more.length; i += 2) {
                last.append(more[i]).append(": ").append(more[i + 1]).append("\r\n");
            }
            say(last.append("\r\n").toString());
        }
    }

    private String line() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = byteOrEnd(); c != '\n'; c = byteOrEnd()) {
            if (c < 0) {
                throw new BrokenException("the connection ended");
            }
            line.append((char) c);
        }
        return line.toString().strip();
    }

    private int byteOrEnd() throws IOException {
        try {
            return in.read();
        } catch (SocketException e) {
            throw new BrokenException(String.valueOf(e.getMessage()));
        }
    }

    private Map<String, String> fields() throws IOException {
        Map<String, String> all = new LinkedHashMap<>();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            all.put(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).strip());
        }
        return all;
    }

    @Override
    Head readHead(boolean bodyless) throws IOException {
        String[] start = line().split(" ", 3);
        Map<String, String> fields = fields();
        trailers.clear();
        left = Long.parseLong(fields.getOrDefault("content-length", "0"));
        boolean response = start[0].startsWith("HTTP/");
        boolean none = bodyless || (response && start[1].matches("1..|204|304"));
        reads = none
                ? Framing.NONE
                : fields.containsKey("transfer-encoding") ? Framing.OPEN : left > 0 ? Framing.LENGTH : Framing.NONE;
        if (reads == Framing.OPEN) {
            left = 0;
        }
        return new Head(response ? start[1] : start[0], fields);
    }

    @Override
    byte @Nullable [] read() throws IOException {
        if (reads == Framing.NONE || (reads == Framing.LENGTH && left == 0)) {
            return null;
        }
        if (reads == Framing.OPEN && left == 0) {
            left = Long.parseLong(line(), 16);
            if (left == 0) {
                trailers.putAll(fields());
                reads = Framing.NONE;
                return null;
            }
        }
        byte[] piece = new byte[(int) Math.min(left, PIECE)];
        int n;
        try {
            n = in.read(piece);
        } catch (SocketException e) {
            throw new BrokenException(String.valueOf(e.getMessage()));
        }
        if (n < 0) {
            throw new BrokenException("the connection ended within a body");
        }
        left -= n;
        if (reads == Framing.OPEN && left == 0) {
            line();
        }
        return Arrays.copyOf(piece, n);
    }

    @Override
    void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Override
    void awaitReset() throws IOException {
        try {
            while (byteOrEnd() >= 0) {
                // What was on its way.
            }
        } catch (BrokenException e) {
            // A reset is an end, too.
            return;
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
