package dev.tulle.proxy.downstream;

import dev.tulle.proxy.share.Held;
import io.netty.channel.ChannelHandler;

/** A client's connection of HTTP, whichever version. On its loop. */
public interface HttpClientConnection extends ChannelHandler, Held.Occupant {
    /** Closes now if no request is in progress; otherwise takes no further ones and closes after those. */
    void drain();
}
