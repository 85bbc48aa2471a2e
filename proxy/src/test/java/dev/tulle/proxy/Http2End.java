package dev.tulle.proxy;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An end of a connection of HTTP/2, which keeps to the windows; one stream at a time. */
final class Http2End extends WireEnd {
    private static final int PIECE = 16 << 10;
    private static final int FIRST_WINDOW = 65_535;
    private static final int INITIAL_WINDOW_SIZE = 4;

    private final H2Frames frames;
    private final boolean server;
    private final ArrayDeque<H2Frames.Frame> kept = new ArrayDeque<>();
    private int stream;
    private Framing sends = Framing.NONE;
    private boolean ended;
    private int initial = FIRST_WINDOW;
    private long ofConnection = FIRST_WINDOW;
    private long ofStream;

    Http2End(H2Frames frames, boolean server) {
        this.frames = frames;
        this.server = server;
        stream = -1;
    }

    @Override
    void head(String start, Framing framing, long length, String... fields) throws IOException {
        Map<String, String> all = new LinkedHashMap<>();
        if (server) {
            all.put(":status", start);
        } else {
            stream += 2;
            ofStream = initial;
            all.put(":method", start);
            all.put(":scheme", "http");
            all.put(":path", path);
            all.put(":authority", "web");
        }
        for (int i = 0; i < fields.length; i += 2) {
            all.put(fields[i], fields[i + 1]);
        }
        if (framing == Framing.LENGTH) {
            all.put("content-length", Long.toString(length));
        }
        sends = framing;
        head(all, framing == Framing.NONE && !start.startsWith("1"));
    }

    private void head(Map<String, String> fields, boolean ends) {
        frames.head(
                stream,
                ends,
                fields.entrySet().stream()
                        .flatMap(field -> java.util.stream.Stream.of(field.getKey(), field.getValue()))
                        .toArray(String[]::new));
    }

    @Override
    void data(byte[] piece) throws IOException {
        for (int at = 0; at < piece.length; ) {
            while (Math.min(ofConnection, ofStream) <= 0) {
                H2Frames.Frame frame = take();
                if (frame != null) {
                    kept.add(frame);
                }
                if (frame != null && frame.type() == H2Frames.RST_STREAM) {
                    throw new BrokenException("reset: " + frame.code());
                }
            }
            int n = (int) Math.min(Math.min(piece.length - at, PIECE), Math.min(ofConnection, ofStream));
            frames.frame(H2Frames.DATA, 0, stream, java.util.Arrays.copyOfRange(piece, at, at + n));
            ofConnection -= n;
            ofStream -= n;
            at += n;
        }
    }

    @Override
    void end(String... more) throws IOException {
        if (sends == Framing.NONE) {
            return;
        }
        if (more.length == 0) {
            frames.frame(H2Frames.DATA, H2Frames.END_STREAM, stream, new byte[0]);
            return;
        }
        Map<String, String> all = new LinkedHashMap<>();
        for (int i = 0; i < more.length; i += 2) {
            all.put(more[i], more[i + 1]);
        }
        head(all, true);
    }

    /** The next frame of this stream, or of one that begins; null for one of the connection. */
    private H2Frames.@Nullable Frame take() throws IOException {
        H2Frames.Frame frame;
        try {
            frame = frames.next();
        } catch (EOFException | SocketException e) {
            throw new BrokenException(e.toString());
        }
        switch (frame.type()) {
            case H2Frames.SETTINGS -> settings(frame);
            case H2Frames.WINDOW_UPDATE -> {
                int more = ByteBuffer.wrap(bytes(frame)).getInt();
                if (frame.stream() == 0) {
                    ofConnection += more;
                } else if (frame.stream() == stream) {
                    ofStream += more;
                }
            }
            case H2Frames.PING -> {
                if ((frame.flags() & H2Frames.ACK) == 0) {
                    frames.pong(frame);
                }
            }
            case H2Frames.GOAWAY -> {
                // What is under way goes on.
            }
            default -> {
                return frame.stream() >= stream ? frame : null;
            }
        }
        return null;
    }

    private void settings(H2Frames.Frame frame) {
        if ((frame.flags() & H2Frames.ACK) != 0) {
            return;
        }
        ByteBuffer all = ByteBuffer.wrap(bytes(frame));
        while (all.hasRemaining()) {
            int name = all.getShort();
            int value = all.getInt();
            if (name == INITIAL_WINDOW_SIZE) {
                ofStream += value - initial;
                initial = value;
            }
        }
        frames.frame(H2Frames.SETTINGS, H2Frames.ACK, 0, new byte[0]);
    }

    private static byte[] bytes(H2Frames.Frame frame) {
        return frame.payload().getBytes(StandardCharsets.ISO_8859_1);
    }

    private H2Frames.Frame next() throws IOException {
        H2Frames.Frame frame = kept.poll();
        while (frame == null) {
            frame = take();
        }
        return frame;
    }

    @Override
    Head readHead(boolean bodyless) throws IOException {
        H2Frames.Frame frame = next();
        while (frame.type() != H2Frames.HEADERS || (server && frame.stream() == stream)) {
            if (frame.type() == H2Frames.RST_STREAM && !server) {
                throw new BrokenException("reset: " + frame.code());
            }
            frame = next();
        }
        if (server) {
            stream = frame.stream();
            ofStream = initial;
        }
        ended = frame.endsStream();
        trailers.clear();
        return new Head(String.valueOf(frame.fields().get(server ? ":method" : ":status")), frame.fields());
    }

    @Override
    byte @Nullable [] read() throws IOException {
        while (!ended) {
            H2Frames.Frame frame = next();
            ended = frame.endsStream();
            switch (frame.type()) {
                case H2Frames.HEADERS -> trailers.putAll(frame.fields());
                case H2Frames.RST_STREAM -> throw new BrokenException("reset: " + frame.code());
                case H2Frames.DATA -> {
                    if (frame.length() > 0) {
                        byte[] more =
                                ByteBuffer.allocate(4).putInt(frame.length()).array();
                        frames.frame(H2Frames.WINDOW_UPDATE, 0, 0, more);
                        if (!ended) {
                            frames.frame(H2Frames.WINDOW_UPDATE, 0, stream, more);
                        }
                        return bytes(frame);
                    }
                }
                default -> throw new IOException("a frame of type " + frame.type());
            }
        }
        return null;
    }

    @Override
    void reset() {
        frames.rst(stream, 8);
    }

    @Override
    void awaitReset() throws IOException {
        try {
            while (next().type() != H2Frames.RST_STREAM) {
                // What was on its way.
            }
        } catch (BrokenException e) {
            // The whole connection is an end, too.
            return;
        }
    }

    @Override
    public void close() throws IOException {
        frames.close();
    }
}
