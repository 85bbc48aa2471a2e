package dev.tulle.xds;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Channels to the control plane, one per attempt to connect: a channel that has failed waits by its own rules, and waiting
 * is the client's to decide.
 */
final class GrpcChannels {
    private static final int MAX_RESPONSE_BYTES = 64 << 20;

    /** The first wait between two tries to connect. */
    static final Duration FIRST_WAIT = Duration.ofMillis(10);

    /**
     * The longest wait: the control plane is on this host, so a try is cheap and there are few who try, and a mesh that is
     * back is whole again at once.
     */
    static final Duration LONGEST_WAIT = Duration.ofMillis(250);

    private GrpcChannels() {}

    static ManagedChannel open(Path socket) {
        return NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .overrideAuthority("localhost")
                .usePlaintext()
                .eventLoopGroup(GrpcLoop.shared())
                .channelType(EpollDomainSocketChannel.class)
                // gRPC's default for TCP: no option of a Unix socket.
                .withOption(ChannelOption.SO_KEEPALIVE, null)
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
