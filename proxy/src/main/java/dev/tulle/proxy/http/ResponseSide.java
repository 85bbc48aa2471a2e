package dev.tulle.proxy.http;

import dev.tulle.proxy.http1.ChunkedBody;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.HeaderProgram;
import io.netty.buffer.ByteBuf;
import java.util.function.BooleanSupplier;

/** How the response of one exchange goes to the client: framing, and whether the connection lives on. Loop-confined. */
final class ResponseSide {
    private final Worker worker;
    private final RequestHead head;
    private final Outgoing out;
    private final BooleanSupplier draining;
    private byte[] trailers = ChunkedBody.NO_TRAILERS;
    private boolean chunked;
    private boolean keepAlive;
    private boolean continued;
    private boolean untilClose;

    ResponseSide(HttpScope scope, RequestHead head, Outgoing out) {
        this.worker = scope.upstreams().worker();
        this.head = head;
        this.out = out;
        this.draining = scope.draining();
    }

    /** A request begins. */
    void reset() {
        trailers = ChunkedBody.NO_TRAILERS;
        chunked = false;
        keepAlive = false;
        continued = false;
        untilClose = false;
    }

    /** What is to follow the body, where it goes on in chunks. */
    void trailers(byte[] lines) {
        trailers = lines;
    }

    /** Passes an informational response on; leave to send the body only to who waits for it, and once. */
    void interim(ResponseHead interim) {
        boolean leave = interim.code() == 100;
        if (head.minorVersion() == 1 && (!leave || (head.expectsContinue() && !continued))) {
            continued |= leave;
            ByteSink sink = worker.sink();
            HeadWriter.response(sink, interim, -1, false, false, false, HeaderProgram.NONE);
            out.add(sink, 0);
        }
    }

    /**
     * Passes the server's head on.
     *
     * @param tunnel true when what follows is no HTTP any more
     */
    void head(ResponseHead answer, boolean tunnel, int following, boolean requestComplete, HeaderProgram changes) {
        // A client that is still sending may not read before it has sent; it is told that this is the end.
        keepAlive = requestComplete && head.keepsAlive() && (!head.isUpgrade() || tunnel) && !draining.getAsBoolean();
        boolean bodyless = tunnel || answer.isBodyless(head.isHead());
        long length = -1;
        if (!bodyless) {
            length = answer.isChunked() ? -1 : answer.contentLength();
            chunked = length < 0 && head.minorVersion() == 1;
            untilClose = length < 0 && !chunked;
            keepAlive &= !untilClose;
        } else if (answer.code() != 204 && !tunnel) {
            length = answer.contentLength();
        }
        ByteSink sink = worker.sink();
        HeadWriter.response(
                sink, answer, length, chunked, !keepAlive && !tunnel, keepAlive && head.minorVersion() == 0, changes);
        out.add(sink, bodyless ? 0 : following);
    }

    /** The client has got the head and the beginning of the body, framed by its length. */
    void headPassed() {
        keepAlive = head.keepsAlive() && !draining.getAsBoolean();
    }

    /** True when only the connection's end tells that the body is over: where it is not, the end must be a reset. */
    boolean isUntilClose() {
        return untilClose;
    }

    /** Passes a piece of the body, or of what the server sends through a tunnel. */
    void data(ByteBuf data) {
        if (chunked) {
            Chunks.add(worker, out, data);
        } else {
            out.add(data);
        }
    }

    /** The body is complete; true when the connection may carry another request. */
    boolean end(boolean requestComplete) {
        if (chunked) {
            Chunks.end(worker, out, trailers);
        }
        return keepAlive && requestComplete;
    }

    /**
     * Answers with the proxy's own words.
     *
     * @param location the value of Location; empty for none
     * @param changes what the route changes of its answers
     * @param refused true when nothing after the request can be trusted
     * @return true when the connection may carry another request
     */
    boolean local(
            int code, byte[] body, String location, HeaderProgram changes, boolean refused, boolean requestComplete) {
        boolean keep =
                requestComplete && !refused && head.keepsAlive() && !head.isUpgrade() && !draining.getAsBoolean();
        ByteSink sink = worker.sink();
        HeadWriter.local(sink, code, body, location, !keep, head.isHead(), changes);
        out.add(sink, 0);
        return keep;
    }
}
