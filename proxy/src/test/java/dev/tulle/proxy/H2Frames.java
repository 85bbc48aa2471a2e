package dev.tulle.proxy;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Exception;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** One end of a connection of HTTP/2, mostly a client's, that sends whatever frames a test wants, and lists what comes. */
final class H2Frames implements AutoCloseable {
    static final int DATA = 0;
    static final int HEADERS = 1;
    static final int RST_STREAM = 3;
    static final int SETTINGS = 4;
    static final int PING = 6;
    static final int GOAWAY = 7;
    static final int WINDOW_UPDATE = 8;
    static final int END_STREAM = 1;
    static final int END_HEADERS = 4;
    static final int ACK = 1;
    static final int NO_ERROR = 0;
    static final int REFUSED_STREAM = 7;
    private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    private static final int HEAD = 9;
    private static final int FIRST = END_STREAM | END_HEADERS;

    /**
     * A frame; its code for RST_STREAM and GOAWAY, else -1. The stream of GOAWAY is the last one that it names.
     * Bytes are characters of the same number. Fields are those of a HEADERS.
     */
    record Frame(int type, int flags, int stream, int length, int code, String payload, Map<String, String> fields) {
        boolean endsStream() {
            return (flags & END_STREAM) != 0;
        }
    }

    private final Socket socket;
    private final DataOutputStream out;
    private final DataInputStream in;
    private final DefaultHttp2HeadersDecoder fields = new DefaultHttp2HeadersDecoder(false);

    H2Frames(int port) throws IOException {
        this(port, 0);
    }

    /** With a send buffer of its own; 0 for the usual one. */
    H2Frames(int port, int sendBuffer) throws IOException {
        socket = new Socket();
        if (sendBuffer > 0) {
            socket.setSendBufferSize(sendBuffer);
        }
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        socket.setSoTimeout(5_000);
        out = new DataOutputStream(socket.getOutputStream());
        in = new DataInputStream(socket.getInputStream());
        out.write(PREFACE.getBytes(StandardCharsets.US_ASCII));
        frame(SETTINGS, 0, 0, new byte[0]);
    }

    /** A server's end: the client's preface has come. */
    H2Frames(Socket accepted, byte[] settings) throws IOException {
        socket = accepted;
        socket.setSoTimeout(10_000);
        out = new DataOutputStream(socket.getOutputStream());
        in = new DataInputStream(socket.getInputStream());
        frame(SETTINGS, 0, 0, settings);
        in.readFully(new byte[PREFACE.length()]);
    }

    H2Frames frame(int type, int flags, int stream, byte[] payload) {
        return send(of(type, flags, stream, payload));
    }

    /** Bytes as they are. */
    H2Frames send(byte[] bytes) {
        try {
            out.write(bytes);
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The bytes of a frame. */
    static byte[] of(int type, int flags, int stream, byte[] payload) {
        byte[] all = new byte[HEAD + payload.length];
        all[0] = (byte) (payload.length >> 16);
        all[1] = (byte) (payload.length >> 8);
        all[2] = (byte) payload.length;
        all[3] = (byte) type;
        all[4] = (byte) flags;
        for (int i = 0; i < 4; i++) {
            all[5 + i] = (byte) (stream >> (24 - 8 * i));
        }
        System.arraycopy(payload, 0, all, HEAD, payload.length);
        return all;
    }

    /** A GET of / at web with further fields, each a name and a value, in one frame that ends the request. */
    H2Frames get(int stream, String... fields) {
        return frame(HEADERS, FIRST, stream, block(0x82, "web", fields));
    }

    /** A POST that does not end the request. */
    H2Frames post(int stream, String... fields) {
        return frame(HEADERS, END_HEADERS, stream, block(0x83, "web", fields));
    }

    /** A CONNECT to web: the method and the authority alone. */
    H2Frames connect(int stream) {
        StringBuilder block = new StringBuilder();
        literal(block.append((char) 0x02), "CONNECT");
        literal(block.append((char) 0x01), "web");
        return frame(HEADERS, END_HEADERS, stream, block.toString().getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Resets a stream. */
    H2Frames rst(int stream, int code) {
        return frame(RST_STREAM, 0, stream, new byte[] {0, 0, 0, (byte) code});
    }

    /** Takes no streams after this one. */
    H2Frames goAway(int last, int code) {
        return frame(
                GOAWAY, 0, 0, ByteBuffer.allocate(8).putInt(last).putInt(code).array());
    }

    /** Answers a PING. */
    H2Frames pong(Frame ping) {
        return frame(PING, ACK, 0, ping.payload.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Answers a request with 200 and no body. */
    H2Frames ok(int stream) {
        return frame(HEADERS, FIRST, stream, new byte[] {(byte) 0x88});
    }

    /** The next frame that is neither SETTINGS nor WINDOW_UPDATE. */
    H2Frames.Frame nextOfStreams() throws IOException {
        while (true) {
            Frame frame = next();
            if (frame.type != SETTINGS && frame.type != WINDOW_UPDATE) {
                return frame;
            }
        }
    }

    /** Asks for another protocol on the stream (RFC 8441): further fields are names and values. */
    H2Frames upgrade(int stream, String protocol, String path, String... more) {
        return head(
                stream,
                false,
                Stream.concat(
                                Stream.of(
                                        ":method", "CONNECT", ":protocol", protocol, ":scheme", "http", ":path", path),
                                Stream.concat(Stream.of(":authority", "web"), Stream.of(more)))
                        .toArray(String[]::new));
    }

    /** A head of these fields, names and values. */
    H2Frames head(int stream, boolean ends, String... all) {
        StringBuilder block = new StringBuilder();
        for (int i = 0; i < all.length; i += 2) {
            literal(block.append((char) 0), all[i]);
            literal(block, all[i + 1]);
        }
        int flags = END_HEADERS | (ends ? END_STREAM : 0);
        return frame(HEADERS, flags, stream, block.toString().getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Bytes of a body, or of what a stream carries. */
    H2Frames data(int stream, boolean ends, String text) {
        return frame(DATA, ends ? END_STREAM : 0, stream, text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Ends the connection, in order or by a reset. */
    void leave(boolean reset) throws IOException {
        if (reset) {
            socket.setSoLinger(true, 0);
        }
        socket.close();
    }

    /** A block of fields: an indexed method, http, the path / and an authority (RFC 7541 appendix A), then literals. */
    static byte[] block(int method, String authority, String... fields) {
        StringBuilder block = new StringBuilder();
        block.append((char) method).append((char) 0x86).append((char) 0x84);
        literal(block.append((char) 0x01), authority);
        for (int i = 0; i < fields.length; i += 2) {
            literal(block.append((char) 0), fields[i]);
            literal(block, fields[i + 1]);
        }
        return block.toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    private static void literal(StringBuilder to, String text) {
        if (text.length() > 126) {
            throw new IllegalArgumentException("one byte of length is enough for these tests");
        }
        to.append((char) text.length()).append(text);
    }

    Frame next() throws IOException {
        int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
        int type = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        int stream = in.readInt();
        byte[] payload = in.readNBytes(length);
        if (payload.length < length) {
            throw new EOFException("the connection ends within a frame");
        }
        int at = type == GOAWAY ? 4 : 0;
        int code = type == RST_STREAM || type == GOAWAY ? payload[at + 3] : -1;
        int of = type == GOAWAY ? ByteBuffer.wrap(payload).getInt() : stream;
        String text = new String(payload, StandardCharsets.ISO_8859_1);
        return new Frame(type, flags, of, length, code, text, type == HEADERS ? fields(payload) : Map.of());
    }

    /** Decoded in their order, as each may refer to those before it. */
    private Map<String, String> fields(byte[] block) throws IOException {
        Map<String, String> all = new LinkedHashMap<>();
        try {
            fields.decodeHeaders(1, Unpooled.wrappedBuffer(block))
                    .forEach(field ->
                            all.put(field.getKey().toString(), field.getValue().toString()));
        } catch (Http2Exception e) {
            throw new IOException(e);
        }
        return all;
    }

    /** Frames up to one of this type, without SETTINGS and WINDOW_UPDATE; -1: until the end of the connection. */
    List<Frame> until(int type) throws IOException {
        List<Frame> all = new ArrayList<>();
        while (true) {
            try {
                Frame frame = next();
                if (frame.type != SETTINGS && frame.type != WINDOW_UPDATE) {
                    all.add(frame);
                }
                if (frame.type == type) {
                    return all;
                }
            } catch (EOFException e) {
                return all;
            }
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
