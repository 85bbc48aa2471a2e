package dev.tulle.proxy;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A server of gRPC that is not ours (grpc-java), and how to call it: messages are bytes. */
final class GrpcPeer implements AutoCloseable {
    static final String SERVICE = "test.Echo";
    static final MethodDescriptor<byte[], byte[]> UNARY = method("Unary", MethodDescriptor.MethodType.UNARY);
    static final MethodDescriptor<byte[], byte[]> UP = method("Up", MethodDescriptor.MethodType.CLIENT_STREAMING);
    static final MethodDescriptor<byte[], byte[]> DOWN = method("Down", MethodDescriptor.MethodType.SERVER_STREAMING);
    static final MethodDescriptor<byte[], byte[]> BOTH = method("Both", MethodDescriptor.MethodType.BIDI_STREAMING);
    static final Metadata.Key<String> TRAILER = Metadata.Key.of("x-echo", Metadata.ASCII_STRING_MARSHALLER);
    private static final int MAX_MESSAGE = 64 << 20;

    private final Server server;
    final AtomicInteger calls = new AtomicInteger();
    final CountDownLatch cancelled = new CountDownLatch(1);
    final List<Metadata> heads = new CopyOnWriteArrayList<>();

    GrpcPeer() throws IOException {
        this(NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)));
    }

    /** On this port, which another one has just left. */
    GrpcPeer(int port) throws IOException {
        this(NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)));
    }

    /** Over TLS, with a certificate and its key. */
    GrpcPeer(Path chain, Path key) throws IOException {
        this(NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .useTransportSecurity(chain.toFile(), key.toFile()));
    }

    private GrpcPeer(NettyServerBuilder builder) throws IOException {
        server = builder.maxInboundMessageSize(MAX_MESSAGE)
                .intercept(new Notes())
                .addService(ServerServiceDefinition.builder(SERVICE)
                        .addMethod(UNARY, ServerCalls.asyncUnaryCall(this::unary))
                        .addMethod(UP, ServerCalls.asyncClientStreamingCall(this::up))
                        .addMethod(DOWN, ServerCalls.asyncServerStreamingCall(this::down))
                        .addMethod(BOTH, ServerCalls.asyncBidiStreamingCall(this::both))
                        .build())
                .build()
                .start();
    }

    int port() {
        return server.getPort();
    }

    static ManagedChannel channel(int port) {
        return NettyChannelBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .usePlaintext()
                .overrideAuthority("web")
                .maxInboundMessageSize(MAX_MESSAGE)
                .build();
    }

    static CallOptions within(long millis) {
        return CallOptions.DEFAULT.withDeadlineAfter(millis, TimeUnit.MILLISECONDS);
    }

    private void unary(byte[] in, StreamObserver<byte[]> out) {
        String text = in.length > 40 ? "" : new String(in, StandardCharsets.UTF_8);
        if (text.startsWith("fail ")) {
            Metadata trailers = new Metadata();
            trailers.put(TRAILER, "why");
            out.onError(Status.fromCodeValue(Integer.parseInt(text.substring(5)))
                    .withDescription("as asked: 100 %")
                    .asRuntimeException(trailers));
        } else if (text.startsWith("flaky ") && calls.get() < Integer.parseInt(text.substring(6))) {
            out.onError(Status.UNAVAILABLE.asRuntimeException());
        } else if (text.equals("wait")) {
            ((ServerCallStreamObserver<byte[]>) out).setOnCancelHandler(cancelled::countDown);
        } else {
            out.onNext(in);
            out.onCompleted();
        }
    }

    private StreamObserver<byte[]> up(StreamObserver<byte[]> out) {
        return new StreamObserver<>() {
            private long sum;

            @Override
            public void onNext(byte[] in) {
                sum += in.length;
            }

            @Override
            public void onError(Throwable cause) {
                cancelled.countDown();
            }

            @Override
            public void onCompleted() {
                out.onNext(Long.toString(sum).getBytes(StandardCharsets.UTF_8));
                out.onCompleted();
            }
        };
    }

    /** So many messages as the request says, as fast as they are read. */
    private void down(byte[] in, StreamObserver<byte[]> out) {
        ServerCallStreamObserver<byte[]> paced = (ServerCallStreamObserver<byte[]>) out;
        AtomicInteger left = new AtomicInteger(Integer.parseInt(new String(in, StandardCharsets.UTF_8)));
        paced.setOnCancelHandler(cancelled::countDown);
        paced.setOnReadyHandler(() -> {
            while (paced.isReady() && left.get() > 0) {
                paced.onNext(new byte[1000]);
                if (left.decrementAndGet() == 0) {
                    paced.onCompleted();
                }
            }
        });
    }

    private StreamObserver<byte[]> both(StreamObserver<byte[]> out) {
        ((ServerCallStreamObserver<byte[]>) out).setOnCancelHandler(cancelled::countDown);
        return new StreamObserver<>() {
            @Override
            public void onNext(byte[] in) {
                out.onNext(in);
            }

            @Override
            public void onError(Throwable cause) {
                cancelled.countDown();
            }

            @Override
            public void onCompleted() {
                out.onCompleted();
            }
        };
    }

    private final class Notes implements ServerInterceptor {
        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, A> call, Metadata head, ServerCallHandler<Q, A> next) {
            calls.incrementAndGet();
            heads.add(head);
            return next.startCall(call, head);
        }
    }

    private static MethodDescriptor<byte[], byte[]> method(String name, MethodDescriptor.MethodType type) {
        return MethodDescriptor.<byte[], byte[]>newBuilder()
                .setType(type)
                .setFullMethodName(SERVICE + "/" + name)
                .setRequestMarshaller(new Bytes())
                .setResponseMarshaller(new Bytes())
                .build();
    }

    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Ends in order: takes no further connections and calls, and answers those that it has. */
    void leave() throws InterruptedException {
        if (!server.shutdown().awaitTermination(10, TimeUnit.SECONDS)) {
            throw new IllegalStateException("calls do not end");
        }
    }

    @Override
    public void close() throws InterruptedException {
        server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
}
