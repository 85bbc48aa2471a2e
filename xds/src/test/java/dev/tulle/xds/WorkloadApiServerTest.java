package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.xds.WorkloadAttestor.Caller;
import dev.tulle.xds.WorkloadAttestor.Standing;
import dev.tulle.xds.proto.spiffe.JWTSVIDRequest;
import dev.tulle.xds.proto.spiffe.X509BundlesRequest;
import dev.tulle.xds.proto.spiffe.X509BundlesResponse;
import dev.tulle.xds.proto.spiffe.X509SVIDRequest;
import dev.tulle.xds.proto.spiffe.X509SVIDResponse;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyFactory;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Workload API over real gRPC, with callers whose standing the test decides. */
class WorkloadApiServerTest {
    private static final SpiffeId A = SpiffeId.workload("td", "default", "a");

    private final LocalRefusals refusals = new LocalRefusals();
    private final List<ManagedChannel> channels = new ArrayList<>();
    private volatile Standing standing = new Standing.Workload(A);

    @TempDir
    private Path directory = Path.of("");

    private TestCertificates authority;
    private WorkloadApiServer server;

    // The lifecycle method below sets them before any test runs.
    @SuppressWarnings("NullAway.Init")
    WorkloadApiServerTest() {}

    @BeforeEach
    void start() throws Exception {
        authority = new TestCertificates(directory, "root");
        server = start(Duration.ofSeconds(60));
    }

    private WorkloadApiServer start(Duration patience) throws IOException {
        return WorkloadApiServer.start(
                socket(), (_, uid) -> new Known("uid " + uid), refusals, new Random(1), "td", patience);
    }

    @AfterEach
    void stop() {
        channels.forEach(ManagedChannel::shutdownNow);
        server.close();
    }

    private Path socket() {
        return directory.resolve("workload.sock");
    }

    /** A caller of one account whose standing is the test's. */
    private final class Known implements Caller {
        private final String account;

        Known(String account) {
            this.account = account;
        }

        @Override
        public String account() {
            return account;
        }

        @Override
        public Standing standing() {
            return standing;
        }

        @Override
        public void close() {}
    }

    private ManagedChannel connect() {
        ManagedChannel channel = GrpcChannels.open(socket());
        channels.add(channel);
        return channel;
    }

    private static Channel withHeader(ManagedChannel channel, String value) {
        Metadata header = new Metadata();
        header.put(Metadata.Key.of("workload.spiffe.io", Metadata.ASCII_STRING_MARSHALLER), value);
        return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(header));
    }

    private <Q, P> Answers<P> call(MethodDescriptor<Q, P> method, Q request) {
        return call(withHeader(connect(), "true"), method, request);
    }

    private static <Q, P> Answers<P> call(Channel channel, MethodDescriptor<Q, P> method, Q request) {
        Answers<P> answers = new Answers<>();
        ClientCalls.asyncServerStreamingCall(channel.newCall(method, CallOptions.DEFAULT), request, answers);
        return answers;
    }

    private Answers<X509SVIDResponse> fetch() {
        return call(WorkloadMethod.X509_SVID, X509SVIDRequest.getDefaultInstance());
    }

    /** What comes of a call. */
    private static final class Answers<P> implements StreamObserver<P> {
        private final BlockingQueue<Object> all = new LinkedBlockingQueue<>();

        @Override
        public void onNext(P response) {
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

        // Whatever is no status is what the method answers.
        @SuppressWarnings("unchecked")
        P message() throws InterruptedException {
            Object next = next();
            if (next instanceof Status status) {
                throw new AssertionError("ended: " + status);
            }
            return (P) next;
        }

        Status end() throws InterruptedException {
            Object next = next();
            while (!(next instanceof Status)) {
                next = next();
            }
            return (Status) next;
        }
    }

    private void give(TlsIdentity certificate, X509Certificate root) {
        server.update(new WorkloadSecrets(Map.of(A, certificate), Map.of(), List.of(root), "td"));
    }

    private static List<X509Certificate> read(com.google.protobuf.ByteString der) throws Exception {
        List<X509Certificate> all = new ArrayList<>();
        for (var one : CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(der.toByteArray()))) {
            all.add((X509Certificate) one);
        }
        return all;
    }

    @Test
    void everyUserMayConnect() throws Exception {
        assertEquals("rw-rw-rw-", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())));
    }

    @Test
    void aWorkloadGetsItsCertificateItsKeyAndWhomToTrust() throws Exception {
        TlsIdentity certificate = authority.sign(A.toString());
        give(certificate, authority.root());
        X509SVIDResponse answer = fetch().message();
        assertEquals(1, answer.getSvidsCount());
        assertEquals(A.toString(), answer.getSvids(0).getSpiffeId());
        assertEquals(certificate.chain(), read(answer.getSvids(0).getX509Svid()));
        assertEquals(
                certificate.key(),
                KeyFactory.getInstance("EC")
                        .generatePrivate(new PKCS8EncodedKeySpec(
                                answer.getSvids(0).getX509SvidKey().toByteArray())));
        assertEquals(List.of(authority.root()), read(answer.getSvids(0).getBundle()));
        X509BundlesResponse bundles = call(WorkloadMethod.X509_BUNDLES, X509BundlesRequest.getDefaultInstance())
                .message();
        assertEquals(java.util.Set.of("spiffe://td"), bundles.getBundlesMap().keySet());
        assertEquals(List.of(authority.root()), read(bundles.getBundlesOrThrow("spiffe://td")));
    }

    @Test
    void renewalsAndOtherRootsReachWhoListens() throws Exception {
        give(authority.sign(A.toString()), authority.root());
        Answers<X509SVIDResponse> own = fetch();
        Answers<X509BundlesResponse> bundles =
                call(WorkloadMethod.X509_BUNDLES, X509BundlesRequest.getDefaultInstance());
        X509SVIDResponse first = own.message();
        bundles.message();
        TlsIdentity renewed = authority.sign(A.toString());
        give(renewed, authority.root());
        X509SVIDResponse second = own.message();
        assertEquals(renewed.chain(), read(second.getSvids(0).getX509Svid()));
        assertTrue(!first.equals(second));
        X509Certificate other = new TestCertificates(directory, "other").root();
        give(renewed, other);
        assertEquals(List.of(other), read(own.message().getSvids(0).getBundle()));
        // Not told of the renewal, which changed nothing there.
        assertEquals(List.of(other), read(bundles.message().getBundlesOrThrow("spiffe://td")));
    }

    @Test
    void aCallWithoutTheHeaderIsRefused() throws Exception {
        give(authority.sign(A.toString()), authority.root());
        ManagedChannel channel = connect();
        for (Channel wrong : List.of(channel, withHeader(channel, "false"), withHeader(channel, "TRUE"))) {
            Status end = call(wrong, WorkloadMethod.X509_SVID, X509SVIDRequest.getDefaultInstance())
                    .end();
            assertEquals(Status.Code.INVALID_ARGUMENT, end.getCode());
            assertEquals("expected the header workload.spiffe.io: true", end.getDescription());
        }
    }

    @Test
    void whoIsInNoWorkloadGetsNothing() throws Exception {
        give(authority.sign(A.toString()), authority.root());
        standing = new Standing.Nobody("in no workload");
        Status end = fetch().end();
        assertEquals(Status.Code.PERMISSION_DENIED, end.getCode());
        assertEquals("in no workload", end.getDescription());
        assertEquals(
                Status.Code.PERMISSION_DENIED,
                call(WorkloadMethod.X509_BUNDLES, X509BundlesRequest.getDefaultInstance())
                        .end()
                        .getCode());
    }

    @Test
    void whoLeavesItsWorkloadIsToldNothingMore() throws Exception {
        give(authority.sign(A.toString()), authority.root());
        Answers<X509SVIDResponse> own = fetch();
        own.message();
        standing = new Standing.Nobody("moved");
        give(authority.sign(A.toString()), authority.root());
        Object next = own.next();
        assertTrue(next instanceof Status status && status.getCode() == Status.Code.PERMISSION_DENIED, next.toString());

        standing = new Standing.Workload(A);
        Answers<X509SVIDResponse> again = fetch();
        again.message();
        standing = new Standing.Nobody("ended");
        server.lookAgain();
        assertEquals("ended", again.end().getDescription());
    }

    @Test
    void aFirstCertificateIsWaitedForAndNotForEver() throws Exception {
        Answers<X509SVIDResponse> early = fetch();
        give(authority.sign(A.toString()), authority.root());
        early.message();

        server.close();
        server = start(Duration.ofMillis(50));
        server.update(new WorkloadSecrets(Map.of(), Map.of(A, "nobody answers"), List.of(), "td"));
        Status end = fetch().end();
        assertEquals(Status.Code.UNAVAILABLE, end.getCode());
        assertEquals("there is no certificate yet: nobody answers", end.getDescription());
    }

    @Test
    void oneWorkloadHasSoManyCallsAndConnectionsAndNoMore() throws Exception {
        give(authority.sign(A.toString()), authority.root());
        List<Channel> some = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            some.add(withHeader(connect(), "true"));
        }
        for (int i = 0; i < WorkloadApiServer.PER_ACCOUNT; i++) {
            call(some.get(i % some.size()), WorkloadMethod.X509_SVID, X509SVIDRequest.getDefaultInstance())
                    .message();
        }
        Status end = call(some.getFirst(), WorkloadMethod.X509_SVID, X509SVIDRequest.getDefaultInstance())
                .end();
        assertEquals(Status.Code.RESOURCE_EXHAUSTED, end.getCode());
        String limit = String.valueOf(end.getDescription());
        assertTrue(limit.endsWith("calls open; expected at most " + WorkloadApiServer.PER_ACCOUNT), limit);
        while (channels.size() < WorkloadPeers.PER_ACCOUNT + 4) {
            ManagedChannel more = connect();
            assertTrue(more.getState(true) != io.grpc.ConnectivityState.SHUTDOWN);
        }
        ClientServerTest.until(() -> refusals.all().stream().anyMatch(one -> one.why()
                .equals("expected at most " + WorkloadPeers.PER_ACCOUNT + " connections of one workload")));
    }

    @Test
    void tokensAreNotIssuedAndThatIsSaid() throws Exception {
        Status end = call(WorkloadMethod.JWT_SVID, JWTSVIDRequest.getDefaultInstance())
                .end();
        assertEquals(Status.Code.UNIMPLEMENTED, end.getCode());
        assertTrue(String.valueOf(end.getDescription()).contains("X.509"), end.getDescription());
    }
}
