package dev.tulle.xds;

import java.time.Instant;
import java.util.List;

/**
 * The server's half of one client's stream, in either variant of the protocol. Runs on the server's owner thread.
 *
 * @param <Q> the request message
 */
interface ClientSession<Q> {
    /**
     * Takes a request: a subscription, an answer to a response, or both.
     *
     * @throws IllegalArgumentException when the stream must end; the message says why
     */
    void onRequest(Q request);

    /** Takes the current snapshot and sends what the client lacks of it. */
    void update(ResourceSnapshot snapshot);

    /** Sends what the client lacks, as far as the transport takes it. */
    void push();

    /** True when the client has answered everything of that snapshot that it subscribed to. */
    boolean isSynced(long number);

    /** {@code node/role}; empty until the client has said who it is. */
    String client();

    /** What of that snapshot the client has not answered, by Envoy's abbreviations of types. */
    List<String> unanswered(long number);

    /** What the client was sent, subscribes to and does not use. */
    List<Refusal> refusals();

    /** Responses that the client refused. */
    long rejects();

    /** What to show of it. */
    XdsClientState state(String peer, Instant since);
}
