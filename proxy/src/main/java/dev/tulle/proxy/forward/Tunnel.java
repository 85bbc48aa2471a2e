package dev.tulle.proxy.forward;

import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.upstream.UpstreamStream;
import org.jspecify.annotations.Nullable;

/**
 * The ends of a connection that carries no HTTP any more, for example WebSocket: each half ends on its own, and a reset at
 * one end is one at the other. Loop-confined.
 */
final class Tunnel {
    private final Conclusion conclusion;
    private final Downstream client;
    private final Tries tries;
    private final Approach approach;
    private boolean clientEnded;
    private boolean serverEnded;

    Tunnel(Conclusion conclusion, Downstream client, Tries tries, Approach approach) {
        this.conclusion = conclusion;
        this.client = client;
        this.tries = tries;
        this.approach = approach;
    }

    /** A request begins. */
    void reset() {
        clientEnded = false;
        serverEnded = false;
    }

    /** The client sends nothing more; it may still read. */
    void clientEnded() {
        UpstreamStream to = tries.upstream();
        if (to != null && !clientEnded) {
            clientEnded = true;
            to.endOutput();
            endIfBoth();
        }
    }

    /** The server sends nothing more; it may still read. */
    void serverEnded() {
        if (!serverEnded) {
            serverEnded = true;
            client.endOutput();
            endIfBoth();
        }
    }

    /** What was sent into either end still arrives at the other. */
    private void endIfBoth() {
        UpstreamStream to = tries.upstream();
        if (clientEnded && serverEnded && to != null) {
            tries.disconnected();
            approach.endTry(false);
            to.closeWhenSent();
            conclusion.finish();
        }
    }

    /** The client has reset its end. */
    void clientReset() {
        UpstreamStream to = tries.upstream();
        if (to != null) {
            to.reset();
        }
    }

    /** The server's end is gone. */
    void broken(@Nullable UpstreamStream from) {
        approach.endTry(true);
        if (from != null && from.wasReset()) {
            conclusion.finishByReset();
        } else {
            conclusion.finish();
        }
    }
}
