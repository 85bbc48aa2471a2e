package dev.tulle.proxy.downstream;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Serves CONNECT. All calls are on the loop. */
public interface Connector {
    /** Finds the address that an authority stands for and calls back on the loop, with null for none. */
    void connect(Channel channel, String authority, Consumer<@Nullable InetSocketAddress> then);

    /**
     * Takes the connection over as one to that address; its HTTP handler has left, and the channel does not read.
     *
     * @param early bytes already received, which now belong to the callee; null for none
     */
    void tunnel(Channel channel, InetSocketAddress destination, @Nullable ByteBuf early);
}
