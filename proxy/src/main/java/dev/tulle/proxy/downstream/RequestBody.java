package dev.tulle.proxy.downstream;

import dev.tulle.proxy.http1.ChunkedBody;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.Trailers;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** Finds the end of a request's body, whichever way its head framed it. Loop-confined. */
final class RequestBody {
    private final RequestHead head;
    private final ChunkedBody chunks = new ChunkedBody();
    private long remaining;

    RequestBody(RequestHead head) {
        this.head = head;
    }

    /** A head with a body was read. */
    void begin() {
        remaining = head.contentLength();
        if (head.isChunked()) {
            chunks.reset();
        }
    }

    /** A head with a body framed by its length was read and sent, and all of the body but these bytes. */
    void goOn(long left) {
        remaining = left;
    }

    /** The next piece, which belongs to the caller; null when more bytes are needed, or at the end, or when broken. */
    @Nullable
    ByteBuf next(ByteBuf in) {
        if (head.isChunked()) {
            return chunks.next(in);
        }
        int n = (int) Math.min(remaining, in.readableBytes());
        remaining -= n;
        return in.readRetainedSlice(n);
    }

    /** The trailers that may be sent on, once it is complete. */
    byte[] trailers() {
        return head.isChunked() ? chunks.trailers() : Trailers.NONE;
    }

    boolean isBroken() {
        return head.isChunked() && chunks.isBroken();
    }

    boolean isComplete() {
        return head.isChunked() ? chunks.isComplete() : remaining == 0;
    }
}
