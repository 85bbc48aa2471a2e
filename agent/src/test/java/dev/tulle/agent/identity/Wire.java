package dev.tulle.agent.identity;

import io.grpc.CallOptions;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A client of the Workload API that knows names and bytes only. */
final class Wire implements AutoCloseable {
    private final EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final ManagedChannel channel;

    Wire(Path socket) {
        channel = NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                .overrideAuthority("localhost")
                .usePlaintext()
                .eventLoopGroup(loop)
                .channelType(EpollDomainSocketChannel.class)
                .withOption(ChannelOption.SO_KEEPALIVE, null)
                .build();
    }

    /** Calls a method with an empty request. */
    Answers call(String method) {
        Metadata header = new Metadata();
        header.put(Metadata.Key.of("workload.spiffe.io", Metadata.ASCII_STRING_MARSHALLER), "true");
        Answers answers = new Answers();
        ClientCalls.asyncServerStreamingCall(
                ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(header))
                        .newCall(
                                MethodDescriptor.<byte[], byte[]>newBuilder()
                                        .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
                                        .setFullMethodName("SpiffeWorkloadAPI/" + method)
                                        .setRequestMarshaller(new Bytes())
                                        .setResponseMarshaller(new Bytes())
                                        .build(),
                                CallOptions.DEFAULT),
                new byte[0],
                answers);
        return answers;
    }

    @Override
    public void close() {
        channel.shutdownNow();
        var _ = loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }

    /** What comes of a call: bytes, and at its end a status. */
    static final class Answers implements StreamObserver<byte[]> {
        private final BlockingQueue<Object> all = new LinkedBlockingQueue<>();

        @Override
        public void onNext(byte[] response) {
            all.add(response);
        }

        @Override
        public void onError(Throwable failure) {
            all.add(((StatusRuntimeException) failure).getStatus());
        }

        @Override
        public void onCompleted() {
            all.add(Status.OK);
        }

        private Object next() throws InterruptedException {
            Object next = all.poll(20, TimeUnit.SECONDS);
            if (next == null) {
                throw new AssertionError("no answer");
            }
            return next;
        }

        byte[] message() throws InterruptedException {
            if (next() instanceof byte[] bytes) {
                return bytes;
            }
            throw new AssertionError("the call has ended");
        }

        /** How it ended, as the next thing that came of it. */
        String end() throws InterruptedException {
            if (next() instanceof Status status) {
                return status.getCode() + ": " + status.getDescription();
            }
            throw new AssertionError("one more answer");
        }
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
}
