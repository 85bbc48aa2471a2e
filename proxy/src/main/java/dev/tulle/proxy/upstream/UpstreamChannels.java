package dev.tulle.proxy.upstream;

import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransport;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import java.net.ConnectException;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;

/** Makes client sockets on a worker's own loop. */
// How a connect ends is told by its listener.
@SuppressWarnings("FutureReturnValueIgnored")
public final class UpstreamChannels {
    /** Bytes waiting in a channel at which its source stops, and at which it goes on. */
    public static final WriteBufferWaterMark WATER_MARK = new WriteBufferWaterMark(32 << 10, 64 << 10);

    /**
     * Bytes that a peer may send before the proxy reads; the kernel takes twice as much for its own needs. Left to itself
     * it gives a socket that is read more slowly than written up to 32 MiB.
     */
    public static final int RECEIVE_BUFFER = 512 << 10;

    /** A prefix of what is said of a connect that a policy at the other end refuses. */
    public static final String DENIED = "tunnel: 401";

    private UpstreamChannels() {}

    /** True when a connect failed for this reason in the handshake of TLS, or had no certificates for it. */
    public static boolean isOfTls(String reason) {
        return reason.startsWith(TlsConnect.TROUBLE);
    }

    /** True when a policy at the other end of a tunnel has refused the connection. */
    public static boolean isDenied(String reason) {
        return reason.startsWith(DENIED);
    }

    /** Bytes that wait in a channel that takes no more; 0 for one that does. */
    public static long unsent(Channel channel) {
        return channel.isWritable() ? 0 : channel.bytesBeforeWritable() + WATER_MARK.low();
    }

    private static Throwable failure(ChannelFuture future) {
        Throwable cause = future.cause();
        return cause == null ? new CancellationException("connect was cancelled") : cause;
    }

    private static ChannelHandler after(byte[] header, ChannelHandler handler) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(new HeaderFirst(header), handler);
            }
        };
    }

    /** Told on the loop how a connect ended. */
    @FunctionalInterface
    public interface Ended {
        /**
         * A connect ended.
         *
         * @param made the connected channel; null when there is none
         * @param failure why not; null when there is one
         */
        void ended(@Nullable Channel made, @Nullable Throwable failure);
    }

    /**
     * Begins to connect; on the loop. What it calls back, it calls later.
     *
     * @param header what the connection begins with, before TLS; null for nothing
     * @param tls to use; null for none
     * @param spoken what the connection is for
     */
    public static void connect(
            Worker worker,
            Destination to,
            int timeoutMillis,
            byte @Nullable [] header,
            @Nullable ClientTransport tls,
            ClientTransport.Spoken spoken,
            ChannelHandler handler,
            Ended then) {
        if (tls == null) {
            connect(worker, to, timeoutMillis, header, handler, then);
        } else {
            TlsConnect.begin(worker, to, timeoutMillis, header, tls, spoken, handler, then);
        }
    }

    /** Begins to connect; on the loop. What it calls back, it calls later. */
    static void connect(
            Worker worker,
            Destination to,
            int timeoutMillis,
            byte @Nullable [] header,
            ChannelHandler handler,
            Ended then) {
        ChannelHandler first = header == null ? handler : after(header, handler);
        Way way = to.way();
        if (way == null) {
            connect(worker, to.address(), timeoutMillis, first, then);
            return;
        }
        From from = to.from();
        if (from == null) {
            worker.loop().execute(() -> then.ended(null, new ConnectException("nobody waits for it")));
        } else {
            way.connect(from, to.address(), timeoutMillis, first, then);
        }
    }

    private static void connect(
            Worker worker, InetSocketAddress address, int timeoutMillis, ChannelHandler handler, Ended then) {
        // A plain IPv4 socket for an IPv4 address: the kernel's hooks and its fast path see it as what it is.
        SocketProtocolFamily family =
                address.getAddress() instanceof Inet4Address ? SocketProtocolFamily.INET : SocketProtocolFamily.INET6;
        EpollSocketChannel channel;
        try {
            channel = new EpollSocketChannel(family);
        } catch (ChannelException e) {
            // No free descriptor. Left to the bootstrap, this would be told on a thread of no loop.
            worker.loop().execute(() -> then.ended(null, e));
            return;
        }
        new Bootstrap()
                .group(worker.loop())
                .channelFactory(() -> channel)
                .option(ChannelOption.ALLOCATOR, worker.allocator())
                .option(ChannelOption.RECVBUF_ALLOCATOR, worker.readOption())
                .option(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, timeoutMillis)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_RCVBUF, RECEIVE_BUFFER)
                // A server may answer and close while we still send: its answer must not die with our write.
                .option(ChannelOption.AUTO_CLOSE, false)
                .handler(handler)
                .connect(address)
                .addListener((ChannelFuture future) -> then.ended(
                        future.isSuccess() ? future.channel() : null, future.isSuccess() ? null : failure(future)));
    }
}
