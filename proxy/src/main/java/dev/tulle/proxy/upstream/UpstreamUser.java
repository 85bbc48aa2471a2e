package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.transport.ProxyHeader;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** Whoever sends a request over an {@link UpstreamStream} and takes the answer. All calls are on the loop. */
public interface UpstreamUser {
    /** Whether a server has read a request that it did not answer. */
    enum Seen {
        /** It may have. */
        PERHAPS,
        /** It sent nothing at all and the connection had served before: most likely it was closing it meanwhile. */
        HARDLY,
        /** It says that it has not (RFC 9113 section 8.7). */
        NEVER
    }

    /** For whom the request is, and what was dialled, as endpoints are told that ask for it; null where nobody waits. */
    ProxyHeader.@Nullable Ends ends();

    /** Whose request it is, for connections that carry that; null where nobody waits. */
    @Nullable
    From from();

    /** A connection that had to be made is ready. */
    void connected(UpstreamStream stream);

    /**
     * No connection could be made.
     *
     * @param reason for people
     */
    void connectFailed(String reason);

    /** An informational response other than 101. */
    void interim(ResponseHead head);

    /**
     * The final response's head, or that of an answer that makes the connection the tunnel that was asked for.
     *
     * @param following bytes already received after the head
     */
    void responseHead(ResponseHead head, int following);

    /** A piece of the body, to be released by the receiver. */
    void responseData(ByteBuf data);

    /**
     * What follows the body of the response, before its end.
     *
     * @param lines fields that may be sent on, each with its line end
     */
    default void responseTrailers(byte[] lines) {
        // Who passes nothing on has no use for them.
    }

    /** The server sends nothing more through a tunnel; it may still read. */
    default void tunnelEnded() {
        // Only for who asks for one.
    }

    /** The response is complete. */
    void responseEnd();

    /** No more bytes come in this turn of the loop: time to flush. */
    void readComplete();

    /**
     * The connection ended, or broke the protocol, before the response was complete.
     *
     * @param reason for people
     * @param malformed true when what the server sent breaks the protocol
     * @param seen whether the server has read the request
     */
    void upstreamBroken(String reason, boolean malformed, Seen seen);

    /** The connection takes more bytes again, or no more for now. */
    void upstreamWritability(boolean writable);
}
