package dev.tulle.proxy.downstream;

import dev.tulle.proxy.share.Held;
import io.netty.channel.ChannelHandler;

/** A client's connection of HTTP, whichever version. On its loop. */
public interface HttpClientConnection extends ChannelHandler, Held.Occupant {
    /** Asks the client to begin nothing further here, where its protocol can say that without losing a request. */
    default void retire() {
        // HTTP/1.1 says it with the next response.
    }

    /** Closes now if no request is in progress; otherwise takes no further ones and closes after those. */
    void drain();
}
