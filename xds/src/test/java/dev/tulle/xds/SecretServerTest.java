package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import dev.tulle.model.Secret;
import dev.tulle.model.Secret.IdentityCertificate;
import dev.tulle.model.Secret.TrustedRoots;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.Status;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Secrets over real gRPC, to Tulle's own client and to a plain one of each service. */
class SecretServerTest {
    private static final String A = "spiffe://td/ns/default/sa/a";
    private static final String CANARY = "CANARY-of-a-private-key";

    private final LocalRefusals refusals = new LocalRefusals();

    @TempDir
    private Path directory = Path.of("");

    private SecretServer server;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    SecretServerTest() {}

    @BeforeEach
    void start() throws IOException {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        server = SecretServer.start(socket(), SocketAccess.user(ServedMesh.PROXY), refusals);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private Path socket() {
        return directory.resolve("sds.sock");
    }

    private static Secret certificate(String chain) {
        return new IdentityCertificate(A, chain, CANARY);
    }

    private static Map<String, Secret> some(String chain) {
        return Map.of(A, certificate(chain), Secret.ROOTS, new TrustedRoots(Secret.ROOTS, "roots"));
    }

    private XdsClient client() {
        return XdsClients.connect(new XdsClientOptions(socket(), "n1", "proxy"));
    }

    @Test
    void aWatcherIsToldOfEachRenewalAndOfTheEnd() throws Exception {
        Recorder<Secret> own = new Recorder<>();
        Recorder<Secret> roots = new Recorder<>();
        try (XdsClient client = client();
                Subscription _ = client.watch(ResourceType.SECRET, A, own);
                Subscription _ = client.watch(ResourceType.SECRET, Secret.ROOTS, roots)) {
            server.update(some("first"), Set.of());
            assertEquals(certificate("first"), own.value(_ -> true));
            assertEquals(new TrustedRoots(Secret.ROOTS, "roots"), roots.value(_ -> true));
            server.update(some("second"), Set.of());
            assertEquals(certificate("second"), own.value(_ -> true));
            server.update(Map.of(), Set.of());
            assertInstanceOf(Recorder.Event.Absent.class, own.next());
            assertInstanceOf(Recorder.Event.Absent.class, roots.next());
            ClientServerTest.until(() -> server.clients().stream().allMatch(XdsClientState::synced));
            assertEquals(0, server.clients().getFirst().types().getFirst().nacked());
        }
    }

    @Test
    void aNameOfNobodyIsAbsentAtOnceAndOneThatIsAwaitedWhenItIsDecided() throws Exception {
        server.update(Map.of(), Set.of(A, "spiffe://td/late"));
        Recorder<Secret> unknown = new Recorder<>();
        Recorder<Secret> awaited = new Recorder<>();
        Recorder<Secret> late = new Recorder<>();
        try (XdsClient client = client();
                Subscription _ = client.watch(ResourceType.SECRET, A, awaited);
                Subscription _ = client.watch(ResourceType.SECRET, "spiffe://td/late", late);
                Subscription _ = client.watch(ResourceType.SECRET, "spiffe://td/nobody", unknown)) {
            // Of one request: whoever is answered last is answered after the others were looked at.
            assertInstanceOf(Recorder.Event.Absent.class, unknown.next());
            assertTrue(awaited.isQuiet() && late.isQuiet());
            server.update(some("first"), Set.of());
            assertEquals(certificate("first"), awaited.value(_ -> true));
            assertInstanceOf(Recorder.Event.Absent.class, late.next());
            server.update(Map.of("spiffe://td/late", new IdentityCertificate("spiffe://td/late", "c", "k")), Set.of());
            assertEquals("spiffe://td/late", late.value(_ -> true).name());
        }
    }

    /** What comes of a plain stream. */
    private static final class Answers implements StreamObserver<DiscoveryResponse> {
        final BlockingQueue<DiscoveryResponse> all = new LinkedBlockingQueue<>();

        @Override
        public void onNext(DiscoveryResponse response) {
            all.add(response);
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {}

        DiscoveryResponse next() throws InterruptedException {
            DiscoveryResponse response = all.poll(20, TimeUnit.SECONDS);
            if (response == null) {
                throw new AssertionError("no answer");
            }
            return response;
        }
    }

    private static DiscoveryRequest.Builder ask(String name, String nonce) {
        return DiscoveryRequest.newBuilder()
                .setTypeUrl(ResourceType.SECRET.typeUrl())
                .addResourceNames(name)
                .setResponseNonce(nonce);
    }

    @Test
    void theOtherVariantOfTheServiceOfSecretsAloneSaysItToo() throws Exception {
        server.update(Map.of(), Set.of(A));
        MethodDescriptor<DiscoveryRequest, DiscoveryResponse> method = DiscoveryMethod.SOTW.toBuilder()
                .setFullMethodName("envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets")
                .build();
        ManagedChannel channel = GrpcChannels.open(socket());
        try {
            Answers unknown = new Answers();
            ClientCalls.asyncBidiStreamingCall(channel.newCall(method, CallOptions.DEFAULT), unknown)
                    .onNext(ask("spiffe://td/nobody", "").build());
            assertEquals(0, unknown.next().getResourcesCount());

            Answers known = new Answers();
            StreamObserver<DiscoveryRequest> stream =
                    ClientCalls.asyncBidiStreamingCall(channel.newCall(method, CallOptions.DEFAULT), known);
            stream.onNext(ask(A, "").build());
            ClientServerTest.until(() -> server.clients().size() == 2);
            assertTrue(known.all.isEmpty());
            server.update(some("first"), Set.of());
            DiscoveryResponse first = known.next();
            assertEquals(
                    certificate("first"), ResourceCodec.decode(ResourceType.SECRET.typeUrl(), first.getResources(0)));
            stream.onNext(ask(A, first.getNonce())
                    .setErrorDetail(Status.newBuilder().setCode(3).setMessage("cannot be used"))
                    .build());
            ClientServerTest.until(() -> server.clients().stream()
                    .flatMap(client -> client.types().stream())
                    .anyMatch(type -> type.nacked() == 1 && type.lastRejection().equals("cannot be used")));
            server.update(some("second"), Set.of());
            DiscoveryResponse second = known.next();
            assertEquals(
                    certificate("second"), ResourceCodec.decode(ResourceType.SECRET.typeUrl(), second.getResources(0)));
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void aStrangerIsClosedBeforeAByteIsRead() throws Exception {
        server.update(some("first"), Set.of());
        try (AsUser stranger = new AsUser(socket(), directory.resolve("relay"), 5432, ServedMesh.PROXY);
                XdsClient client = XdsClients.connect(new XdsClientOptions(stranger.socket(), "n1", "proxy"))) {
            assertEquals("connected", stranger.attempt());
            ClientServerTest.until(() -> refusals.total() > 0);
            assertEquals(
                    "expected root, uid " + ServedMesh.PROXY,
                    refusals.all().getFirst().why());
            assertFalse(client.status().connected());
        }
        try (AsUser proxy = new AsUser(socket(), directory.resolve("relay2"), ServedMesh.PROXY, ServedMesh.PROXY);
                XdsClient client = XdsClients.connect(new XdsClientOptions(proxy.socket(), "n1", "proxy"))) {
            ClientServerTest.until(() -> client.status().connected());
        }
    }

    @Test
    void aKeyIsInNoTextThatIsLoggedOrShown() throws Exception {
        Queue<String> said = new ConcurrentLinkedQueue<>();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord record) {
                said.add(String.valueOf(record.getMessage()));
                for (Object parameter : record.getParameters() == null ? new Object[0] : record.getParameters()) {
                    said.add(String.valueOf(parameter));
                }
                said.add(String.valueOf(record.getThrown()));
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        handler.setLevel(Level.ALL);
        Logger ours = Logger.getLogger("dev.tulle");
        Level before = ours.getLevel();
        ours.addHandler(handler);
        ours.setLevel(Level.ALL);
        ResourceWatcher<Secret> refusing = new ResourceWatcher<>() {
            @Override
            public void onChanged(Secret value) {
                throw new IllegalStateException("cannot use " + value);
            }

            @Override
            public void onAbsent() {}

            @Override
            public void onTrouble(String reason) {}
        };
        try (XdsClient client = client();
                Subscription _ = client.watch(ResourceType.SECRET, A, refusing)) {
            server.update(some("first"), Set.of());
            ClientServerTest.until(() -> server.clients().stream()
                    .flatMap(one -> one.types().stream())
                    .anyMatch(type -> type.nacked() > 0));
            EncodedResource encoded = EncodedResource.of(A, List.of(), certificate("first"));
            said.addAll(List.of(
                    server.clients().toString(),
                    client.status().toString(),
                    encoded.toString(),
                    certificate("first").toString()));
            InvalidResourceException damaged = damaged(encoded);
            said.add(damaged + " " + damaged.getCause());
        } finally {
            ours.removeHandler(handler);
            ours.setLevel(before);
        }
        assertTrue(said.toString().contains("certificate of " + A), said.toString());
        assertFalse(said.toString().contains("CANARY"), said.toString());
    }

    /** The refusal of a secret whose last bytes are missing. */
    private static InvalidResourceException damaged(EncodedResource encoded) {
        var any = encoded.message().getResource();
        var cut = any.toBuilder()
                .setValue(any.getValue().substring(0, any.getValue().size() - 3))
                .build();
        return org.junit.jupiter.api.Assertions.assertThrows(
                InvalidResourceException.class, () -> ResourceCodec.decode(ResourceType.SECRET.typeUrl(), cut));
    }
}
