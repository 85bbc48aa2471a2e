package dev.tulle.proxy.stream;

import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.share.Held;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/**
 * One request of a client, as the client's protocol shows it to who answers it. It takes the response in the order of its
 * parts (informational heads, head, body, trailers, end; or one whole answer of the proxy) and then {@link #done}; how they
 * are framed is its own business. May be reused for the next request after that. Loop-confined.
 */
public interface Downstream {
    /** Who the client is. */
    Peer peer();

    /** The client's connection, for who has to name it to the kernel. */
    Channel channel();

    /** The client's place among those that share the loop; null for none. */
    @Nullable
    Held held();

    /** True while bytes of the client are being handled: a flush follows at the end of the batch. */
    boolean isReading();

    /** Asks for the call at a deadline, in place of the one before, as {@link System#nanoTime}. */
    void deadline(long nanos);

    /** The request's body can be taken (again). */
    void resumeBody();

    /**
     * The request's body cannot be taken for now: the endpoint does not read.
     *
     * @param unsent bytes that wait for it already
     */
    void pauseBody(long unsent);

    /** Passes an informational response on, to who may have it. */
    void interim(ResponseHead head);

    /**
     * Passes the server's head on.
     *
     * @param tunnel true when what follows, in both directions, is no HTTP any more
     * @param following bytes of the body that are likely to follow at once
     * @param changes to the fields
     */
    void head(ResponseHead head, boolean tunnel, int following, HeaderProgram changes);

    /** The client has got the head and the beginning of the body, framed by its length, from the kernel. */
    void headPassed();

    /** Passes a piece of the body, or of what the server sends through a tunnel; the piece belongs to the callee. */
    void data(ByteBuf piece);

    /**
     * Lets these follow the body, where the client's protocol has a place for them.
     *
     * @param lines fields, each with its line end
     */
    void trailers(byte[] lines);

    /** The response is complete. */
    void end();

    /**
     * Answers with the proxy's own words.
     *
     * @param grpc the status for a call of gRPC; ignored for any other request
     * @param location the value of Location; empty for none
     * @param changes what the route changes of its answers
     * @param refused true when nothing after the request can be trusted
     */
    void local(int status, int grpc, byte[] body, String location, HeaderProgram changes, boolean refused);

    /** Writes what is collected; true when the client takes more. */
    boolean flush();

    /** The exchange is over: after a complete response the client may ask again. */
    void done();

    /** The response has begun and cannot be completed, which the client must see. */
    void abort();

    /** The server sends nothing more through a tunnel: after what is on its way, neither is the client sent anything. */
    void endOutput();

    /** The server has reset a tunnel. */
    void reset();
}
