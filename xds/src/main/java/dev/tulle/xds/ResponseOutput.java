package dev.tulle.xds;

/**
 * Takes the responses of one stream.
 *
 * @param <P> the response message
 */
interface ResponseOutput<P> {
    /** True while the transport takes more; when it does again, the session is asked to push. */
    boolean isReady();

    /** Sends one response with resources of a type. */
    void send(String typeUrl, P response);
}
