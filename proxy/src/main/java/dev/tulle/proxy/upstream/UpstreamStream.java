package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ForwardedRequest;
import io.netty.buffer.ByteBuf;

/**
 * One request to an endpoint and its response, as the endpoint's protocol carries them: a whole connection of HTTP/1.1. The
 * request goes in the order head, body, end; the response comes to the {@link UpstreamUser}. Ended once, by one of
 * {@link #finish}, {@link #abandon}, {@link #reset}, {@link #closeWhenSent}. Loop-confined.
 */
public interface UpstreamStream {
    /** The endpoint's pool. */
    EndpointPool pool();

    /**
     * Begins: sends the head.
     *
     * @param user who takes the response
     */
    void send(UpstreamUser user, ForwardedRequest request);

    /** Sends a piece of the body, or of what a client sends through a tunnel; it belongs to the callee. */
    void data(ByteBuf piece);

    /**
     * The request's body is complete.
     *
     * @param trailers lines that follow it, each with its end
     */
    void end(byte[] trailers);

    /** Writes what is collected; true when the endpoint takes more. */
    boolean flush();

    /** True when the endpoint takes more. */
    boolean isWritable();

    /** Bytes that wait for the endpoint. */
    long unsent();

    /** Stops or resumes reading of the response: back-pressure from the client. */
    void read(boolean on);

    /**
     * The response is complete.
     *
     * @param requestComplete false when something of the request may still come: the connection cannot serve again
     */
    void finish(boolean requestComplete);

    /** Gives up on the request. */
    void abandon();

    /** True when it carries no HTTP any more: the server has agreed to what was asked. */
    boolean isTunnel();

    /** True when the server has reset it. */
    boolean wasReset();

    /** Nothing more is sent through a tunnel, after what is on its way. */
    void endOutput();

    /** Gives up on a tunnel whose client has reset it. */
    void reset();

    /** Ends a tunnel both of whose halves have ended: what is still on its way to the server arrives. */
    void closeWhenSent();
}
