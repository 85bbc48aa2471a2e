package dev.tulle.proxy.http1;

import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Outgoing;
import io.netty.buffer.ByteBuf;

/** Writes a body in chunks. */
public final class Chunks {
    private static final byte[] CRLF = {'\r', '\n'};
    private static final byte[] LAST = {'0', '\r', '\n'};

    private Chunks() {}

    /**
     * Adds a piece, which now belongs to the channel, as one chunk; an empty piece is none.
     *
     * @param sink a place to put lines together
     */
    public static void add(ByteSink sink, Outgoing out, ByteBuf data) {
        int n = data.readableBytes();
        if (n == 0) {
            data.release();
            return;
        }
        out.add(sink.clear().putHex(n).put(CRLF), n + 2);
        out.add(data);
        out.add(sink.clear().put(CRLF), 0);
    }

    /**
     * Ends the body.
     *
     * @param sink a place to put lines together
     * @param trailers lines, each with its end
     */
    public static void end(ByteSink sink, Outgoing out, byte[] trailers) {
        out.add(sink.clear().put(LAST).put(trailers).put(CRLF), 0);
    }
}
