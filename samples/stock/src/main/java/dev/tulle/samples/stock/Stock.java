package dev.tulle.samples.stock;

import com.google.protobuf.Int32Value;
import com.google.protobuf.StringValue;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** Serves {@code bookinfo.Stock/Count} and {@code grpc.health.v1.Health} on the port that PORT names, 9080 without it. */
public final class Stock {
    private static final MethodDescriptor<StringValue, Int32Value> COUNT =
            MethodDescriptor.<StringValue, Int32Value>newBuilder()
                    .setType(MethodDescriptor.MethodType.UNARY)
                    .setFullMethodName("bookinfo.Stock/Count")
                    .setRequestMarshaller(ProtoUtils.marshaller(StringValue.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(Int32Value.getDefaultInstance()))
                    .build();

    private Stock() {}

    /** The number is the product's, so that a caller can tell answers apart. */
    private static void count(StringValue product, StreamObserver<Int32Value> answer) {
        try {
            answer.onNext(Int32Value.of(100 + Integer.parseInt(product.getValue())));
            answer.onCompleted();
        } catch (NumberFormatException e) {
            answer.onError(Status.INVALID_ARGUMENT
                    .withDescription("product '" + product.getValue() + "': expected a number")
                    .asRuntimeException());
        }
    }

    /** Serves until SIGTERM; calls that run may end then. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "9080"));
        HealthStatusManager health = new HealthStatusManager();
        Server server = NettyServerBuilder.forPort(port)
                .addService(ServerServiceDefinition.builder("bookinfo.Stock")
                        .addMethod(COUNT, ServerCalls.asyncUnaryCall(Stock::count))
                        .build())
                .addService(health.getHealthService())
                .build()
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, health)));
        server.awaitTermination();
    }

    private static void stop(Server server, HealthStatusManager health) {
        health.enterTerminalState();
        try {
            if (!server.shutdown().awaitTermination(3, TimeUnit.SECONDS)) {
                server.shutdownNow();
            }
        } catch (InterruptedException e) {
            server.shutdownNow();
        }
    }
}
