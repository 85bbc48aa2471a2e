package dev.tulle.agent.enrol;

import com.google.protobuf.Int32Value;
import com.google.protobuf.StringValue;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Asks a server of gRPC for its health, as grpc.health.v1 says, on a connection of its own without TLS. */
final class GrpcHealth {
    /**
     * {@code Health/Check}. Its request is a message with a string as field 1, its response one with an enumeration as field
     * 1, which look on the wire like these two.
     */
    private static final MethodDescriptor<StringValue, Int32Value> CHECK =
            MethodDescriptor.<StringValue, Int32Value>newBuilder()
                    .setType(MethodDescriptor.MethodType.UNARY)
                    .setFullMethodName("grpc.health.v1.Health/Check")
                    .setRequestMarshaller(ProtoUtils.marshaller(StringValue.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(Int32Value.getDefaultInstance()))
                    .build();

    private static final int SERVING = 1;

    private GrpcHealth() {}

    /**
     * Blocks for at most the timeout.
     *
     * @param service whose health is asked for; empty for the server's as a whole
     * @return empty when it serves; otherwise why not
     */
    static String check(SocketAddress server, String service, Duration timeout) {
        ManagedChannel channel = NettyChannelBuilder.forAddress(server)
                .usePlaintext()
                // Whatever proxy the agent's own settings may name.
                .proxyDetector(_ -> null)
                .directExecutor()
                .build();
        try {
            CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(timeout.toMillis(), TimeUnit.MILLISECONDS);
            int health = ClientCalls.blockingUnaryCall(channel, CHECK, options, StringValue.of(service))
                    .getValue();
            return health == SERVING ? "" : "health " + word(health) + ", expected SERVING";
        } catch (StatusRuntimeException e) {
            return trouble(e.getStatus(), service, timeout);
        } finally {
            channel.shutdownNow();
        }
    }

    private static String word(int health) {
        return switch (health) {
            case 0 -> "UNKNOWN";
            case 2 -> "NOT_SERVING";
            case 3 -> "SERVICE_UNKNOWN";
            default -> Integer.toString(health);
        };
    }

    private static String trouble(Status status, String service, Duration timeout) {
        return switch (status.getCode()) {
            case UNIMPLEMENTED -> "the server has no grpc.health.v1.Health";
            case NOT_FOUND -> "the server knows no service '" + service + "'";
            case DEADLINE_EXCEEDED -> "no answer within " + timeout.toMillis() + " ms";
            default -> {
                Throwable cause = status.getCause();
                String more = cause == null || cause.getMessage() == null ? "" : " (" + cause.getMessage() + ")";
                yield status.getCode() + ": " + status.getDescription() + more;
            }
        };
    }
}
