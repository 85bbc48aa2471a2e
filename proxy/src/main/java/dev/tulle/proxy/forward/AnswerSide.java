package dev.tulle.proxy.forward;

import dev.tulle.proxy.body.BodyPipe;
import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.upstream.UpstreamStream;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;

/**
 * The answer of one exchange as it goes to its client: past the filters, and no faster than the client reads.
 * Loop-confined.
 */
final class AnswerSide {
    private final Downstream client;
    private final Routing routing;
    private final FilterChain filters;
    private final RequestHead request;
    private final Tally tally;
    private final ByteBufAllocator allocator;
    private final Tries tries;
    private byte[] trailers = Trailers.NONE;

    AnswerSide(Parts parts, Tries tries) {
        this.client = parts.client();
        this.routing = parts.routing();
        this.filters = parts.filters();
        this.request = parts.head();
        this.tally = parts.tally();
        this.allocator = parts.scope().upstreams().worker().allocator();
        this.tries = tries;
    }

    /**
     * Passes the head.
     *
     * @param switched true when what follows is no HTTP any more
     * @param following bytes that are likely to follow at once
     */
    void head(ResponseHead head, boolean switched, int following) {
        trailers = Trailers.NONE;
        ResponseHead changed = filters.response(head, switched, request.isHead(), allocator);
        client.head(changed, switched, following, filters.responseChanges(routing.responseChanges()));
    }

    /** Passes a piece of the body, or what the filters put in its place. */
    void data(ByteBuf piece) {
        filters.responseData(piece);
        BodyPipe changed = filters.responseBody();
        if (changed == null) {
            pass(piece);
        } else {
            changed.take(piece);
            changed.drain(this::pass);
        }
    }

    private void pass(ByteBuf piece) {
        tally.responseBytes += piece.readableBytes();
        client.data(piece);
    }

    /** Passes the fields behind the body, each with its line end. */
    void trailers(byte[] lines) {
        filters.responseTrailers(lines);
        if (filters.responseBody() == null) {
            client.trailers(lines);
        } else {
            trailers = lines;
        }
    }

    /** The answer is whole. */
    void end() {
        BodyPipe changed = filters.responseBody();
        if (changed != null) {
            changed.end(trailers);
            changed.drain(this::pass);
            client.trailers(changed.trailers());
        }
        client.end();
    }

    /** Writes what was passed; the endpoint waits while the client takes no more. */
    void flush() {
        BodyPipe changed = filters.responseBody();
        if (changed != null) {
            changed.flush(this::pass);
        }
        if (!client.flush()) {
            UpstreamStream from = tries.upstream();
            if (from != null) {
                from.read(false);
            }
        }
    }

    /** The client takes more. */
    void resume() {
        UpstreamStream from = tries.upstream();
        if (from != null) {
            from.read(true);
        }
    }
}
