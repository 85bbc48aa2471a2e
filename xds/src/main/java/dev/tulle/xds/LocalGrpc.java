package dev.tulle.xds;

import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Servers of gRPC on Unix sockets, with the bounds of one connection. */
final class LocalGrpc {
    /** Streams that a client may reset in {@link #RESET_SECONDS} before its connection is closed. */
    private static final int MAX_RESETS = 200;

    private static final int RESET_SECONDS = 30;

    private LocalGrpc() {}

    /**
     * A server without services.
     *
     * @param bound where it listens
     * @param peers says who may connect
     * @param calls on one connection
     * @param requestBytes of one message from a client
     */
    static NettyServerBuilder server(
            Path bound, InternalProtocolNegotiator.ProtocolNegotiator peers, int calls, int requestBytes) {
        return NettyServerBuilder.forAddress(new DomainSocketAddress(bound.toFile()))
                .protocolNegotiator(peers)
                .bossEventLoopGroup(GrpcLoop.shared())
                .workerEventLoopGroup(GrpcLoop.shared())
                .channelType(EpollServerDomainSocketChannel.class)
                // gRPC's default for TCP: no option of a Unix socket.
                .withChildOption(ChannelOption.SO_KEEPALIVE, null)
                // Handlers only hand over to an owner thread.
                .directExecutor()
                .permitKeepAliveTime(5, TimeUnit.SECONDS)
                .keepAliveTime(30, TimeUnit.SECONDS)
                .maxInboundMessageSize(requestBytes)
                .maxConcurrentCallsPerConnection(calls)
                .maxRstFramesPerWindow(MAX_RESETS, RESET_SECONDS)
                .handshakeTimeout(10, TimeUnit.SECONDS);
    }
}
