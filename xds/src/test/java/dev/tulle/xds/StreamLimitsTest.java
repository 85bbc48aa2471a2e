package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import dev.tulle.xds.proto.envoy.config.core.v3.Node;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nobody who may read resources can ask for so much that the server ends: it refuses, says why, and serves the others. */
class StreamLimitsTest {
    private static final int PROXY = ServedMesh.PROXY;

    /** Refusals that are waited for; the other streams wait for theirs in the client. */
    private static final int REFUSED = 200;

    /** The method of any bytes. */
    private static final MethodDescriptor<byte[], DeltaDiscoveryResponse> RAW = DiscoveryMethod.DELTA.toBuilder(
                    new Bytes(), DiscoveryMethod.DELTA.getResponseMarshaller())
            .build();

    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] message) {
            return new ByteArrayInputStream(message);
        }

        @Override
        public byte[] parse(InputStream stream) {
            throw new UnsupportedOperationException("a client reads no requests");
        }
    }

    @TempDir
    private Path directory = Path.of("");

    private ServedMesh mesh;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    StreamLimitsTest() {}

    @BeforeEach
    void start() throws IOException {
        mesh = new ServedMesh(directory);
    }

    @AfterEach
    void stop() {
        mesh.close();
    }

    /** One stream and how it ended. */
    private static final class Stream implements StreamObserver<DeltaDiscoveryResponse> {
        private final CompletableFuture<Status> end = new CompletableFuture<>();
        private final CompletableFuture<Boolean> answered = new CompletableFuture<>();
        private final StreamObserver<DeltaDiscoveryRequest> requests;

        /** A stream of other messages, of which only the end counts. */
        static <Q> StreamObserver<Q> call(ClientCall<Q, DeltaDiscoveryResponse> call, CompletableFuture<Status> end) {
            return ClientCalls.asyncBidiStreamingCall(call, new StreamObserver<DeltaDiscoveryResponse>() {
                @Override
                public void onNext(DeltaDiscoveryResponse response) {
                    end.complete(Status.OK);
                }

                @Override
                public void onError(Throwable failure) {
                    end.complete(Status.fromThrowable(failure));
                }

                @Override
                public void onCompleted() {
                    end.complete(Status.OK);
                }
            });
        }

        Stream(ManagedChannel channel) {
            requests = ClientCalls.asyncBidiStreamingCall(
                    channel.newCall(DiscoveryMethod.DELTA, CallOptions.DEFAULT), this);
        }

        void subscribe(List<String> names) {
            requests.onNext(DeltaDiscoveryRequest.newBuilder()
                    .setTypeUrl(ResourceType.ADDRESS_URL)
                    .setNode(Node.newBuilder().setId("n1").setCluster("proxy"))
                    .addAllResourceNamesSubscribe(names)
                    .build());
        }

        @Override
        public void onNext(DeltaDiscoveryResponse response) {
            answered.complete(true);
        }

        @Override
        public void onError(Throwable failure) {
            end.complete(Status.fromThrowable(failure));
        }

        @Override
        public void onCompleted() {
            end.complete(Status.OK);
        }

        Status end() throws Exception {
            return end.get(30, TimeUnit.SECONDS);
        }
    }

    @Test
    void twelveThousandStreamsOfOneUserAreRefusedButForAFew() throws Exception {
        try (AsUser proxy = mesh.as(PROXY, PROXY)) {
            List<ManagedChannel> channels = new ArrayList<>();
            List<Stream> streams = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                channels.add(GrpcChannels.open(ControlAddress.of(proxy.socket())));
            }
            for (int i = 0; i < 12_000; i++) {
                Stream stream = new Stream(channels.get(i % channels.size()));
                stream.subscribe(List.of("/240.240.0.1"));
                streams.add(stream);
            }
            ClientServerTest.until(() -> mesh.refusals.total() >= REFUSED);
            assertTrue(mesh.owner.call(() -> mesh.server.clients().size()) <= StreamLimits.PER_USER);
            CompletableFuture<?>[] ends =
                    streams.stream().map(stream -> stream.end).toArray(CompletableFuture<?>[]::new);
            Status end = (Status) CompletableFuture.anyOf(ends).get(60, TimeUnit.SECONDS);
            assertEquals(Status.Code.RESOURCE_EXHAUSTED, end.getCode());
            assertEquals("uid 4321 has 16 streams open; expected at most 16", end.getDescription());
            // Root's clients do not notice.
            ManagedChannel own = GrpcChannels.open(ControlAddress.of(mesh.socket));
            Stream root = new Stream(own);
            root.subscribe(List.of("/240.240.0.1"));
            assertTrue(root.answered.get(20, TimeUnit.SECONDS));
            own.shutdownNow();
            channels.forEach(ManagedChannel::shutdownNow);
        }
        // The process of that user has ended: what it had is free again.
        ClientServerTest.until(() -> mesh.owner.call(() -> mesh.server.clients().isEmpty()));
    }

    @Test
    void aStreamHasSoManyNamesAndNoMore() throws Exception {
        ManagedChannel channel = GrpcChannels.open(ControlAddress.of(mesh.socket));
        List<String> names = new ArrayList<>();
        for (int i = 0; i < StreamLimits.NAMES; i++) {
            names.add("/10.0." + i / 256 + "." + i % 256);
        }
        Stream full = new Stream(channel);
        full.subscribe(names);
        assertTrue(full.answered.get(20, TimeUnit.SECONDS));
        full.subscribe(List.of("/240.240.0.1"));
        assertEquals("a stream subscribes to more than 20000 names", full.end().getDescription());
        assertEquals(Status.Code.RESOURCE_EXHAUSTED, full.end().getCode());

        Stream large = new Stream(channel);
        large.subscribe(List.of("x".repeat(StreamLimits.NAME_LENGTH + 1)));
        assertEquals(Status.Code.RESOURCE_EXHAUSTED, large.end().getCode());
        channel.shutdownNow();
    }

    @Test
    void aMessageIsMeasuredBeforeItIsRead() throws Exception {
        RequestLimits.check(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(ResourceType.ADDRESS_URL)
                .addResourceNamesSubscribe("a")
                .build()
                .toByteArray());
        refused("a request is too large: more than 40016 fields", manyFields().toByteArray());
        refused(
                "a request is too large: field 99 has more than 16384 bytes",
                field(99, RequestLimits.MAX_FIELD_BYTES + 1));
        // A real Envoy's node is larger than any name; twice in a request it is nobody's.
        byte[] one = field(1, RequestLimits.MAX_NODE_BYTES - 8);
        RequestLimits.check(one);
        refused(
                "a request is too large: field 1 has more than 16384 bytes",
                ByteString.copyFrom(one).concat(ByteString.copyFrom(one)).toByteArray());
        assertThrows(IOException.class, () -> RequestLimits.check(new byte[] {0x0b}), "a group");
        assertThrows(IOException.class, () -> RequestLimits.check(new byte[] {0x0a, 0x7f, 0x01}), "cut off");
    }

    @Test
    void whoSendsAMessageBeyondALimitIsToldSo() throws Exception {
        ManagedChannel channel = GrpcChannels.open(ControlAddress.of(mesh.socket));
        Stream many = new Stream(channel);
        many.requests.onNext(manyFields());
        ended(Status.Code.RESOURCE_EXHAUSTED, "a request is too large: more than 40016 fields", many);
        Stream large = new Stream(channel);
        large.requests.onNext(DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl("x".repeat(RequestLimits.MAX_BYTES))
                .build());
        ended(Status.Code.RESOURCE_EXHAUSTED, "a request is too large: more than 2097152 bytes", large);
        for (byte[] garbage : List.of(new byte[] {0x0b}, new byte[] {0x12, 0x02, (byte) 0xff, (byte) 0xfe})) {
            CompletableFuture<Status> end = new CompletableFuture<>();
            Stream.call(channel.newCall(RAW, CallOptions.DEFAULT), end).onNext(garbage);
            Status status = end.get(30, TimeUnit.SECONDS);
            assertEquals(Status.Code.INVALID_ARGUMENT, status.getCode(), status.toString());
            assertTrue(
                    String.valueOf(status.getDescription()).startsWith("a request cannot be read: "),
                    status.toString());
        }
        assertEquals(2, mesh.refusals.total());
        channel.shutdownNow();
    }

    private static void ended(Status.Code code, String why, Stream stream) throws Exception {
        assertEquals(code, stream.end().getCode());
        assertEquals(why, stream.end().getDescription());
    }

    private static DeltaDiscoveryRequest manyFields() {
        DeltaDiscoveryRequest.Builder many = DeltaDiscoveryRequest.newBuilder();
        for (int i = 0; i <= RequestLimits.MAX_FIELDS; i++) {
            many.addResourceNamesSubscribe("");
        }
        return many.build();
    }

    private static byte[] field(int number, int bytes) {
        return UnknownFieldSet.newBuilder()
                .addField(
                        number,
                        UnknownFieldSet.Field.newBuilder()
                                .addLengthDelimited(ByteString.copyFrom(new byte[bytes]))
                                .build())
                .build()
                .toByteArray();
    }

    private static void refused(String limit, byte[] message) {
        RuntimeException refusal =
                assertThrows(StreamLimits.OverLimitException.class, () -> RequestLimits.check(message));
        assertEquals(limit, refusal.getMessage());
    }
}
