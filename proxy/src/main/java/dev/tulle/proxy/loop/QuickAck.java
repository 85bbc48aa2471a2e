package dev.tulle.proxy.loop;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.epoll.EpollSocketChannel;

/**
 * Acknowledges at once what has come. A sender that writes a message in small pieces without TCP_NODELAY waits with each
 * next piece for the acknowledgement of the last one, which the kernel holds back for up to 40 ms where it expects to send
 * something soon; a proxy has nothing to send before the message is whole.
 */
public final class QuickAck {
    /** Bytes: of a sender who has given so much in one turn there is no small piece to wait for. */
    public static final int SMALL = 4 << 10;

    private QuickAck() {}

    /** Acknowledges; on the channel's loop. */
    public static void now(Channel channel) {
        if (channel instanceof EpollSocketChannel socket && channel.isActive()) {
            try {
                socket.config().setTcpQuickAck(true);
            } catch (ChannelException e) {
                // It has closed, which its reader finds out by itself.
                System.getLogger(QuickAck.class.getName()).log(System.Logger.Level.TRACE, "acknowledge", e);
            }
        }
    }
}
