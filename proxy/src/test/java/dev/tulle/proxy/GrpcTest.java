package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.WeightedCluster;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls of gRPC by a client and to a server that are not ours: HTTP/2 on both sides, from end to end. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class GrpcTest {
    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Meshes mesh(GrpcPeer peer) {
        return Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset("", peer.port());
    }

    @Test
    void allKindsOfCalls() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer).build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                assertArrayEquals(bytes("hello"), call(channel, "hello"));
                byte[] large = new byte[4 << 20];
                new Random(1).nextBytes(large);
                assertArrayEquals(
                        large, ClientCalls.blockingUnaryCall(channel, GrpcPeer.UNARY, GrpcPeer.within(20_000), large));
                assertEquals("300000", new String(upload(channel, 300, 1000), StandardCharsets.UTF_8));
                Iterator<byte[]> down = ClientCalls.blockingServerStreamingCall(
                        channel, GrpcPeer.DOWN, GrpcPeer.within(20_000), bytes("3000"));
                int count = 0;
                while (down.hasNext()) {
                    assertEquals(1000, down.next().length);
                    count++;
                }
                assertEquals(3000, count);
                chat(channel);
                assertTrue(peer.heads.getFirst().keys().contains("user-agent"));
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
            assertEquals(5, proxy.sum("istio_requests_total", "response_code=\"200\""));
            assertEquals(
                    5, proxy.sum("istio_requests_total", "request_protocol=\"grpc\"", "grpc_response_status=\"0\""));
            assertEquals(1 + 1 + 300 + 1 + 50, proxy.sum("istio_request_messages_total"));
            assertEquals(1 + 1 + 1 + 3000 + 50, proxy.sum("istio_response_messages_total"));
        }
    }

    private static byte[] call(ManagedChannel channel, String text) {
        return ClientCalls.blockingUnaryCall(channel, GrpcPeer.UNARY, GrpcPeer.within(20_000), bytes(text));
    }

    private static byte[] upload(ManagedChannel channel, int count, int size) throws Exception {
        Answers answers = new Answers();
        StreamObserver<byte[]> out =
                ClientCalls.asyncClientStreamingCall(channel.newCall(GrpcPeer.UP, GrpcPeer.within(20_000)), answers);
        for (int i = 0; i < count; i++) {
            out.onNext(new byte[size]);
        }
        out.onCompleted();
        answers.done.get(20, TimeUnit.SECONDS);
        return answers.all.take();
    }

    /** Question and answer in turn on one call: nothing waits for the end of either direction. */
    private static void chat(ManagedChannel channel) throws Exception {
        Answers answers = new Answers();
        StreamObserver<byte[]> out =
                ClientCalls.asyncBidiStreamingCall(channel.newCall(GrpcPeer.BOTH, GrpcPeer.within(20_000)), answers);
        for (int i = 0; i < 50; i++) {
            out.onNext(bytes("m" + i));
            byte[] answer = answers.all.poll(5, TimeUnit.SECONDS);
            assertArrayEquals(bytes("m" + i), answer);
        }
        out.onCompleted();
        answers.done.get(5, TimeUnit.SECONDS);
    }

    private static final class Answers implements StreamObserver<byte[]> {
        private final LinkedBlockingQueue<byte[]> all = new LinkedBlockingQueue<>();
        private final CompletableFuture<Boolean> done = new CompletableFuture<>();

        @Override
        public void onNext(byte[] value) {
            all.add(value);
        }

        @Override
        public void onError(Throwable cause) {
            done.completeExceptionally(cause);
        }

        @Override
        public void onCompleted() {
            done.complete(true);
        }
    }

    @Test
    void statusAndTrailersOfTheServer() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer).build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                StatusRuntimeException why = assertThrows(StatusRuntimeException.class, () -> call(channel, "fail 9"));
                assertEquals(Status.Code.FAILED_PRECONDITION, why.getStatus().getCode());
                assertEquals("as asked: 100 %", why.getStatus().getDescription());
                Metadata trailers = why.getTrailers();
                assertEquals("why", trailers == null ? null : trailers.get(GrpcPeer.TRAILER));
                assertEquals(1, proxy.sum("istio_requests_total", "grpc_response_status=\"9\""));
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void cancellationAndDeadlinesReachTheServer() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer).build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                ClientCall<byte[], byte[]> call = channel.newCall(GrpcPeer.UNARY, GrpcPeer.within(20_000));
                Future<byte[]> never = ClientCalls.futureUnaryCall(call, bytes("wait"));
                while (peer.calls.get() == 0) {
                    Thread.sleep(10);
                }
                call.cancel("enough", null);
                assertThrows(ExecutionException.class, never::get);
                assertTrue(peer.cancelled.await(5, TimeUnit.SECONDS));
                StatusRuntimeException why = assertThrows(
                        StatusRuntimeException.class,
                        () -> ClientCalls.blockingUnaryCall(
                                channel, GrpcPeer.UNARY, GrpcPeer.within(300), bytes("wait")));
                assertEquals(Status.Code.DEADLINE_EXCEEDED, why.getStatus().getCode());
                // The connection serves on.
                assertArrayEquals(bytes("after"), call(channel, "after"));
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void theProxysOwnAnswersAreStatusesOfGrpc() throws Exception {
        Route aborts = new Route(
                "aborts",
                RouteMatch.ANY,
                Meshes.action(List.of(new WeightedCluster(Meshes.cluster(""), 1)), Duration.ZERO, RetryPolicy.DEFAULT),
                List.of(new FaultInjection(Optional.empty(), Optional.of(new FaultInjection.Abort(403, 1_000_000)))),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer).routes(aborts).build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                assertEquals(Status.Code.PERMISSION_DENIED, refusal(channel));
                assertEquals(1, proxy.sum("istio_requests_total", "grpc_response_status=\"7\""));
                proxy.xds.set(mesh(peer)
                        .routes(Meshes.retrying(Duration.ofMillis(200), RetryPolicy.DEFAULT))
                        .build());
                StatusRuntimeException slow = assertThrows(StatusRuntimeException.class, () -> call(channel, "wait"));
                assertEquals(Status.Code.UNAVAILABLE, slow.getStatus().getCode());
                assertTrue(String.valueOf(slow.getStatus().getDescription()).contains("upstream request timeout"));
                assertTrue(peer.cancelled.await(5, TimeUnit.SECONDS));
                proxy.xds.set(mesh(peer).routes().build());
                assertEquals(Status.Code.UNIMPLEMENTED, refusal(channel));
                proxy.xds.set(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .subset("")
                        .build());
                assertEquals(Status.Code.UNAVAILABLE, refusal(channel));
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    private static Status.Code refusal(ManagedChannel channel) {
        return assertThrows(StatusRuntimeException.class, () -> call(channel, "hello"))
                .getStatus()
                .getCode();
    }

    @Test
    void retriesOnStatusOfGrpc() throws Exception {
        RetryPolicy retry = new RetryPolicy(3, Duration.ZERO, Set.of("unavailable"));
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer)
                        .routes(Meshes.retrying(Duration.ofSeconds(10), retry))
                        .build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                assertArrayEquals(bytes("flaky 3"), call(channel, "flaky 3"));
                assertEquals(3, peer.calls.get());
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    /** A client that does not watch its own deadline: the one that it wrote ends the call, as the route's timeout would. */
    @Test
    void theDeadlineOfACallBindsItsRoute() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer)
                        .routes(Meshes.retrying(Duration.ofSeconds(10), RetryPolicy.NONE))
                        .build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                Metadata late = new Metadata();
                late.put(Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER), "300m");
                Channel unwatched =
                        ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(late));
                long began = System.nanoTime();
                StatusRuntimeException why = assertThrows(
                        StatusRuntimeException.class,
                        () -> ClientCalls.blockingUnaryCall(
                                unwatched, GrpcPeer.UNARY, CallOptions.DEFAULT, bytes("wait")));
                long millis = (System.nanoTime() - began) / 1_000_000;
                assertEquals(
                        Status.Code.DEADLINE_EXCEEDED,
                        why.getStatus().getCode(),
                        why.getStatus().toString());
                assertEquals(1, proxy.sum("istio_requests_total", "grpc_response_status=\"4\""));
                assertTrue(millis >= 290 && millis < 5_000, "took " + millis + " ms");
                assertTrue(peer.cancelled.await(5, TimeUnit.SECONDS));
                assertArrayEquals(bytes("after"), call(channel, "after"));
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    /** Some clients write for "no deadline" the longest time that there is. */
    @Test
    void endlessDeadlinesEndNothing() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer).build())) {
            ManagedChannel channel = GrpcPeer.channel(proxy.port);
            try {
                for (String written : List.of("2562048H", "99999999H", "99999999M", "99999999S")) {
                    Metadata endless = new Metadata();
                    endless.put(Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER), written);
                    Channel patient =
                            ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(endless));
                    assertArrayEquals(
                            bytes("here"),
                            ClientCalls.blockingUnaryCall(patient, GrpcPeer.UNARY, CallOptions.DEFAULT, bytes("here")),
                            written);
                }
            } finally {
                channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void manyCallsAtOnce() throws Exception {
        try (GrpcPeer peer = new GrpcPeer();
                ProxyFixture proxy = new ProxyFixture(mesh(peer).build());
                ExecutorService threads = Executors.newFixedThreadPool(16)) {
            List<ManagedChannel> channels = new ArrayList<>();
            try {
                List<Future<?>> all = new ArrayList<>();
                for (int i = 0; i < 16; i++) {
                    ManagedChannel channel = GrpcPeer.channel(proxy.port);
                    channels.add(channel);
                    String name = "c" + i;
                    all.add(threads.submit(() -> {
                        for (int j = 0; j < 200; j++) {
                            String text = name + " " + j + "x".repeat(j % 7 * 3000);
                            assertEquals(text, new String(call(channel, text), StandardCharsets.UTF_8));
                        }
                    }));
                }
                for (Future<?> one : all) {
                    one.get();
                }
                assertEquals(3200, peer.calls.get());
            } finally {
                for (ManagedChannel channel : channels) {
                    channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
                }
            }
        }
    }
}
