package dev.tulle.proxy.upstream;

import io.netty.channel.Channel;

/**
 * Who takes care of idle connections instead of their pools: the kernel's HTTP programs, which use them for requests that
 * the proxy never sees. All calls are on the loop.
 */
public interface Lender {
    /** Lends nothing. */
    Lender NONE = new Lender() {
        @Override
        public boolean lend(UpstreamConnection idle) {
            return false;
        }

        @Override
        public void spoke(UpstreamConnection lent) {
            throw new IllegalStateException("nothing was lent");
        }

        @Override
        public void gone(UpstreamConnection lent) {
            throw new IllegalStateException("nothing was lent");
        }

        @Override
        public boolean recall(EndpointPool pool) {
            return false;
        }

        @Override
        public void retire(EndpointPool pool) {
            // Nothing was lent.
        }

        @Override
        public void ended(EndpointPool pool, Channel client, int code) {
            // Counts nothing.
        }
    };

    /** Lends a connection that has just become idle, or closes it; false when it stays with its pool. */
    boolean lend(UpstreamConnection idle);

    /**
     * The server has sent something on a lent connection, or has ended its stream. Afterwards the connection is not lent
     * any more: it has a user, or is closed.
     */
    void spoke(UpstreamConnection lent);

    /** A lent connection was closed without the lender. */
    void gone(UpstreamConnection lent);

    /** Gets back one unused connection that counts against the same bound as this pool's, if there is one. */
    boolean recall(EndpointPool pool);

    /** Gets back the unused connections of a pool that is not used any more. */
    void retire(EndpointPool pool);

    /**
     * A try that the proxy has made at an endpoint ended; the lender counts those of its own with it.
     *
     * @param client whose request it was
     * @param code the response's status, or {@link EndpointOutcomes#NO_RESPONSE}
     */
    void ended(EndpointPool pool, Channel client, int code);
}
