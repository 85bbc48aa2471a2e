package dev.tulle.proxy.http;

import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.Worker;
import io.netty.buffer.ByteBuf;

/** Writes a body in chunks. */
final class Chunks {
    private static final byte[] CRLF = {'\r', '\n'};
    private static final byte[] LAST = {'0', '\r', '\n'};

    private Chunks() {}

    /** Adds a piece, which now belongs to the channel, as one chunk; an empty piece is none. */
    static void add(Worker worker, Outgoing out, ByteBuf data) {
        int n = data.readableBytes();
        if (n == 0) {
            data.release();
            return;
        }
        out.add(worker.sink().putHex(n).put(CRLF), n + 2);
        out.add(data);
        out.add(worker.sink().put(CRLF), 0);
    }

    /**
     * Ends the body.
     *
     * @param trailers lines, each with its end
     */
    static void end(Worker worker, Outgoing out, byte[] trailers) {
        out.add(worker.sink().put(LAST).put(trailers).put(CRLF), 0);
    }
}
