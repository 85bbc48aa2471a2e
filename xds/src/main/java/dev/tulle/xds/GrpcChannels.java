package dev.tulle.xds;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Channels to the control plane, one per attempt to connect: a channel that has failed waits by its own rules, and waiting
 * is the client's to decide.
 */
final class GrpcChannels {
    private static final int MAX_RESPONSE_BYTES = 64 << 20;

    /** A host that does not answer. */
    private static final int CONNECT_MILLIS = 5_000;

    /** The first wait between two tries to connect. */
    static final Duration FIRST_WAIT = Duration.ofMillis(10);

    /**
     * The longest wait: a try is cheap, on this host above all, and there are few who try, and a mesh that is back is whole
     * again at once.
     */
    static final Duration LONGEST_WAIT = Duration.ofMillis(250);

    private GrpcChannels() {}

    /** To a server on this host. */
    static ManagedChannel open(Path socket) {
        return open(ControlAddress.of(socket));
    }

    static ManagedChannel open(ControlAddress control) {
        return switch (control) {
            case ControlAddress.Local(Path socket) ->
                // SO_KEEPALIVE is gRPC's default for TCP: no option of a Unix socket.
                built(NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .overrideAuthority("localhost")
                        .usePlaintext()
                        .channelType(EpollDomainSocketChannel.class)
                        .withOption(ChannelOption.SO_KEEPALIVE, null));
            case ControlAddress.Remote(String host, int port, NodeTls tls) ->
                remote(host, port, ControlTls.client(tls));
        };
    }

    /** To a control plane on another host. */
    static ManagedChannel remote(String host, int port, SslContext tls) {
        return built(NettyChannelBuilder.forAddress(host, port)
                .overrideAuthority(ControlTls.AUTHORITY)
                .channelType(EpollSocketChannel.class)
                .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS)
                .sslContext(tls));
    }

    private static ManagedChannel built(NettyChannelBuilder channel) {
        return channel.eventLoopGroup(GrpcLoop.shared())
                // Callbacks only hand over to an owner thread.
                .directExecutor()
                .offloadExecutor(Runnable::run)
                .disableRetry()
                .keepAliveTime(10, TimeUnit.SECONDS)
                .keepAliveTimeout(5, TimeUnit.SECONDS)
                .maxInboundMessageSize(MAX_RESPONSE_BYTES)
                .build();
    }

    /** Why a stream ended, for people: the status, what it says, and the root of it. */
    static String reason(Throwable failure) {
        Status status =
                switch (failure) {
                    case StatusException e -> e.getStatus();
                    case StatusRuntimeException e -> e.getStatus();
                    default -> Status.fromThrowable(failure);
                };
        String text = status.getCode() + (status.getDescription() == null ? "" : ": " + status.getDescription());
        Throwable cause = status.getCause();
        while (cause != null && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause == null || cause.getMessage() == null ? text : text + " (" + cause.getMessage() + ")";
    }
}
