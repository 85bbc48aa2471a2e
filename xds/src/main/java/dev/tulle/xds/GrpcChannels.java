package dev.tulle.xds;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/**
 * Channels to the control plane, one per attempt to connect: a channel that has failed waits by its own rules, and waiting
 * is the client's to decide.
 */
final class GrpcChannels {
    private static final int MAX_RESPONSE_BYTES = 64 << 20;

    private GrpcChannels() {}

    static ManagedChannel open(String host, int port) {
        return NettyChannelBuilder.forAddress(new InetSocketAddress(host, port))
                .usePlaintext()
                .eventLoopGroup(GrpcLoop.shared())
                .channelType(NioSocketChannel.class)
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
