package dev.tulle.proxy.lease;

import dev.tulle.proxy.upstream.UpstreamConnection;

/** A client's connection as the proxy serves it. Called on its loop. */
public interface RequestTaker {
    /** Of a connection that has none to take. */
    RequestTaker NOBODY = new RequestTaker() {
        @Override
        public boolean take(UpstreamConnection from, TakenRequest request) {
            return false;
        }

        @Override
        public void abandon() {
            // Nothing was promised.
        }
    };

    /**
     * Goes on with a request that the kernel has taken; the connection must be between two requests.
     *
     * @param from where the response comes from; the callee becomes its user
     * @return false when it cannot: then nothing has happened
     */
    boolean take(UpstreamConnection from, TakenRequest request);

    /** Closes at once: what the client was promised will not come. */
    void abandon();
}
