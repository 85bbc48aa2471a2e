package dev.tulle.proxy.loop;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelOutputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.Errors;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslClosedEngineException;
import io.netty.handler.ssl.SslHandler;
import javax.net.ssl.SSLException;

/**
 * How connections end: one half, both once all is sent, or by a reset, which tells a program that something was lost, so
 * that whoever stands between two must not turn it into an orderly end. On the channel's loop.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Ends {
    private Ends() {}

    /** Sends nothing more after what is on its way; still reads. */
    public static void output(Channel channel) {
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(sent -> {
            if (channel.isActive()) {
                shutdownOutput(channel);
            }
        });
    }

    /** Says that nothing more is sent: by an alert of TLS where it is spoken, whose end of the stream is no end otherwise. */
    public static void shutdownOutput(Channel channel) {
        SslHandler tls = channel.pipeline().get(SslHandler.class);
        if (tls == null) {
            ((DuplexChannel) channel).shutdownOutput();
        } else {
            channel.pipeline().fireUserEventTriggered(ChannelOutputShutdownEvent.INSTANCE);
            tls.closeOutbound();
        }
    }

    /** Closes after what is on its way. */
    public static void both(Channel channel) {
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    /** True when the other end has reset the connection, or TLS has broken, after which nothing is an orderly end. */
    public static boolean isReset(Throwable cause) {
        Throwable inner = cause instanceof DecoderException && cause.getCause() != null ? cause.getCause() : cause;
        // Writing after the end of TLS breaks nothing.
        return inner instanceof ResetException
                || (inner instanceof SSLException && !(inner instanceof SslClosedEngineException))
                || (inner instanceof Errors.NativeIoException refusal
                        && refusal.expectedErr() == Errors.ERRNO_ECONNRESET_NEGATIVE);
    }

    /** True when nothing more comes although TLS, which is spoken, has not ended: anybody on the way can have done this. */
    public static boolean isCut(Channel channel) {
        SslHandler tls = channel.pipeline().get(SslHandler.class);
        return tls != null && !tls.engine().isInboundDone();
    }

    /** Sends what there is room for and resets: what the other end has received already stays readable there. */
    public static void reset(Channel channel) {
        channel.flush();
        if (channel.isOpen()) {
            channel.config().setOption(ChannelOption.SO_LINGER, 0);
        }
        ChannelHandlerContext tls = channel.pipeline().context(SslHandler.class);
        if (tls == null) {
            channel.close();
        } else {
            // Below TLS, which would first say that this is the end of what was to be sent.
            tls.close();
        }
    }
}
