package dev.tulle.proxy.upstream;

import dev.tulle.model.Endpoint;
import io.netty.channel.ChannelHandler;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * How an endpoint is reached to which no socket of this node leads: what comes of it is a channel of bytes as any other, but
 * each carries the identity of its caller. One for each endpoint and loop; equal ones lead there alike.
 */
public interface Way {
    /** Knows the ways; one for each loop. */
    @FunctionalInterface
    interface Map {
        /** Every endpoint is reached by its address. */
        Map DIRECT = endpoint -> null;

        /** The way to an endpoint; null where its address can be dialled. */
        @Nullable
        Way to(Endpoint endpoint);
    }

    /**
     * Begins to connect; on the loop. What it calls back, it calls later.
     *
     * @param from whose identity is carried
     * @param address of the endpoint
     * @param handler what the connection is for
     */
    void connect(
            From from,
            InetSocketAddress address,
            int timeoutMillis,
            ChannelHandler handler,
            UpstreamChannels.Ended then);
}
