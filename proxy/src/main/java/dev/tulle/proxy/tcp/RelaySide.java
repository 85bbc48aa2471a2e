package dev.tulle.proxy.tcp;

import dev.tulle.proxy.loop.Ends;
import dev.tulle.proxy.loop.QuickAck;
import dev.tulle.proxy.loop.WaitingPieces;
import dev.tulle.proxy.upstream.UpstreamChannels;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * One of the two connections of a {@link TcpRelay}: what comes in goes out at the other, with back-pressure, and so does
 * the end. Loop-confined.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class RelaySide extends ChannelInboundHandlerAdapter {
    /** Whoever has both. */
    interface Events {
        /** True when bytes are not (yet) for the other side; they belong to the callee then. */
        boolean takes(RelaySide side, ByteBuf data);

        /** One side says nothing more. */
        void inputEnded();

        /** A side takes no more bytes, or takes them again. */
        void stalls(RelaySide side);

        /** A side has failed, and closes. */
        void broken(Throwable cause);

        /** A side has closed, or all was said and sent in both directions. */
        void over(RelaySide side);
    }

    private final Channel channel;
    private final Events events;
    private final QuickAck quickAck;
    private @Nullable RelaySide other;
    private boolean inputEnded;
    private boolean outputEnded;
    private long total;
    private long counted;

    RelaySide(Channel channel, Events events) {
        this.channel = channel;
        this.events = events;
        this.quickAck = new QuickAck(channel);
    }

    Channel channel() {
        return channel;
    }

    void join(RelaySide opposite) {
        other = opposite;
    }

    boolean isJoined() {
        return other != null;
    }

    boolean hasInputEnded() {
        return inputEnded;
    }

    /** Bytes that went on from here. */
    long total() {
        return total;
    }

    /** Those since the last question. */
    long uncounted() {
        long n = total - counted;
        counted = total;
        return n;
    }

    /** Counts bytes that go on. */
    void count(ByteBuf data) {
        total += data.readableBytes();
    }

    /** Reads (on), unless the end was reached. */
    void read() {
        if (!inputEnded) {
            channel.config().setAutoRead(true);
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf data = (ByteBuf) message;
        quickAck.came(data.readableBytes());
        if (events.takes(this, data)) {
            return;
        }
        RelaySide to = other;
        if (to == null) {
            data.release();
            return;
        }
        count(data);
        // Behind others it is going to wait, and would keep the whole buffer that it was read into.
        boolean waits = to.channel.bytesBeforeUnwritable() <= UpstreamChannels.WATER_MARK.high();
        to.channel.write(waits ? WaitingPieces.alone(channel.alloc(), data) : data, to.channel.voidPromise());
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        quickAck.turnOver();
        RelaySide to = other;
        if (to != null) {
            to.channel.flush();
            if (!to.channel.isWritable()) {
                channel.config().setAutoRead(false);
            }
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        events.stalls(this);
        RelaySide from = other;
        if (from != null && channel.isWritable()) {
            from.read();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (!(event instanceof ChannelInputShutdownEvent) || inputEnded) {
            return;
        }
        if (Ends.isCut(channel)) {
            exceptionCaught(context, new SSLException("the connection ended without ending TLS"));
        } else {
            inputEnded = true;
            events.inputEnded();
            RelaySide to = other;
            if (to != null) {
                to.endOutput();
            }
        }
    }

    /** The opposite side has nothing more to say: after what is on its way, neither have we to ours. */
    void endOutput() {
        if (outputEnded) {
            return;
        }
        outputEnded = true;
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(sent -> {
            RelaySide opposite = other;
            if (inputEnded && opposite != null && opposite.inputEnded && opposite.outputEnded) {
                events.over(this);
            } else if (channel.isActive()) {
                Ends.shutdownOutput(channel);
            }
        });
    }

    /** Sends what is left and closes. */
    void finish(boolean asReset) {
        if (asReset) {
            Ends.reset(channel);
        } else if (channel.isActive()) {
            Ends.both(channel);
        } else {
            channel.close();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        events.broken(cause);
        channel.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        events.over(this);
    }
}
