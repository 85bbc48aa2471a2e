package dev.tulle.proxy.forward;

import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.upstream.UpstreamStream;
import io.netty.buffer.ByteBuf;

/**
 * The answer of one exchange as it goes to its client: past the filters, and no faster than the client reads.
 * Loop-confined.
 */
final class AnswerSide {
    private final Downstream client;
    private final Routing routing;
    private final FilterChain filters;
    private final Tries tries;

    AnswerSide(Parts parts, Tries tries) {
        this.client = parts.client();
        this.routing = parts.routing();
        this.filters = parts.filters();
        this.tries = tries;
    }

    /**
     * Passes the head.
     *
     * @param switched true when what follows is no HTTP any more
     * @param following bytes that are likely to follow at once
     */
    void head(ResponseHead head, boolean switched, int following) {
        filters.response(head);
        client.head(head, switched, following, filters.responseChanges(routing.responseChanges()));
    }

    /** Passes a piece of the body. */
    void data(ByteBuf piece) {
        filters.responseData(piece);
        client.data(piece);
    }

    /** Passes the fields behind the body, each with its line end. */
    void trailers(byte[] lines) {
        filters.responseTrailers(lines);
        client.trailers(lines);
    }

    /** The answer is whole. */
    void end() {
        client.end();
    }

    /** Writes what was passed; the endpoint waits while the client takes no more. */
    void flush() {
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
