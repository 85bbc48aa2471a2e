package dev.tulle.proxy.loop;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.epoll.EpollSocketChannel;

/**
 * Acknowledges at once what has come, where more is to come and nothing goes back before. The kernel holds an
 * acknowledgement back for up to 40 ms, until there is something to send or a second full segment has come, and a sender
 * may be waiting for just that one: one that writes small pieces without TCP_NODELAY with each next piece, and one whose
 * send buffer is smaller than two segments, which are 64 KiB on the loopback device, with each segment. One of each channel,
 * loop-confined.
 */
public final class QuickAck {
    /** Bytes in one turn of the loop from which on, where nobody knows what is said, more are likely to come. */
    private static final int MANY = 4 << 10;

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

    /** A turn of the loop is over; nobody knows whether more is to come. */
    public void turnOver() {
        turnOver(came >= MANY);
    }

    /**
     * A turn of the loop is over.
     *
     * @param unfinished true when a message has begun and more of it is to come
     */
    public void turnOver(boolean unfinished) {
        came = 0;
        if (unfinished && channel instanceof EpollSocketChannel socket && channel.isActive()) {
            try {
                socket.config().setTcpQuickAck(true);
            } catch (ChannelException e) {
                // It has closed, which its reader finds out by itself.
                System.getLogger(QuickAck.class.getName()).log(System.Logger.Level.TRACE, "acknowledge", e);
            }
        }
    }
}
