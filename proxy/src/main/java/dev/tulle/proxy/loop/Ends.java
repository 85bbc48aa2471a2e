package dev.tulle.proxy.loop;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.unix.Errors;

/**
 * Connections that end by a reset, which tells a program that something was lost: whoever stands between two must not
 * turn it into an orderly end. On the channel's loop.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Resets {
    private Resets() {}

    /** True when the other end has reset the connection. */
    public static boolean isOne(Throwable cause) {
        return cause instanceof Errors.NativeIoException refusal
                && refusal.expectedErr() == Errors.ERRNO_ECONNRESET_NEGATIVE;
    }

    /** Sends what there is room for and resets: what the other end has received already stays readable there. */
    public static void reset(Channel channel) {
        channel.flush();
        if (channel.isOpen()) {
            channel.config().setOption(ChannelOption.SO_LINGER, 0);
        }
        channel.close();
    }
}
