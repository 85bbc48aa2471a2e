package dev.tulle.proxy.loop;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.epoll.EpollSocketChannel;

/**
 * Acknowledges at once what has come of a message that is not whole. A sender that writes a message in small pieces without
 * TCP_NODELAY waits with each next piece for the acknowledgement of the last one, which the kernel holds back for up to
 * 40 ms where it expects to send something soon; a proxy has nothing to send before the message is whole. One of each
 * channel, loop-confined.
 */
public final class QuickAck {
    /** Bytes: of a sender who has given so much in one turn of the loop there is no small piece to wait for. */
    private static final int SMALL = 4 << 10;

    private final Channel channel;
    private int came;

    /** Nothing has come yet. */
    public QuickAck(Channel channel) {
        this.channel = channel;
    }

    /** So many bytes have come. */
    public void came(int bytes) {
        came += bytes;
    }

    /**
     * A turn of the loop is over.
     *
     * @param unfinished true when a message has begun and more of it is to come
     */
    public void turnOver(boolean unfinished) {
        if (unfinished && came < SMALL && channel instanceof EpollSocketChannel socket && channel.isActive()) {
            try {
                socket.config().setTcpQuickAck(true);
            } catch (ChannelException e) {
                // It has closed, which its reader finds out by itself.
                System.getLogger(QuickAck.class.getName()).log(System.Logger.Level.TRACE, "acknowledge", e);
            }
        }
        came = 0;
    }
}
