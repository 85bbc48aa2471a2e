package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.FreePorts;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import dev.tulle.xds.CertificateClient;
import dev.tulle.xds.ControlAddress;
import dev.tulle.xds.JoinToken;
import dev.tulle.xds.NodeAdmission;
import dev.tulle.xds.NodeJoin;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.NodeTls;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes on other hosts: over the network, with tokens and certificates, and whom the port serves nothing. */
class JoinTest {
    private static final Duration HOUR = Duration.ofHours(1);

    @TempDir
    private Path directory = Path.of("");

    private int port;
    private ControlOptions options = ControlOptions.defaults();
    private ControlPlane plane;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    JoinTest() {}

    @BeforeEach
    void start() throws IOException {
        port = 15012 + FreePorts.forMesh(IntStream.range(100, 1_000)).orElseThrow();
        options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withNodePort(port)
                .withTimes(Duration.ofSeconds(30), Duration.ofSeconds(3));
        plane = ControlPlane.start(options);
    }

    @AfterEach
    void stop() {
        plane.close();
    }

    private record Member(TlsIdentity identity, List<X509Certificate> roots) implements NodeTls {}

    private Member join(String token, String node) throws IOException {
        KeyPair key = CsrMaker.newKey();
        NodeAdmission.Decision.Joined joined =
                NodeJoin.join("127.0.0.1", port, JoinToken.parse(token), node, CsrMaker.der(key));
        return new Member(new TlsIdentity(joined.chain(), key.getPrivate(), node), joined.roots());
    }

    private ControlAddress remote(NodeTls tls) {
        return new ControlAddress.Remote("127.0.0.1", port, tls);
    }

    private static String why(IOException refusal) {
        return String.valueOf(refusal.getMessage());
    }

    @Test
    void aNodeJoinsOnceAndItsWorkloadsAreInTheMesh() throws Exception {
        String token = plane.createToken("", HOUR).text();
        Member n2 = join(token, "n2");
        assertEquals(
                "spiffe://cluster.local/node/n2",
                SpiffeId.of(n2.identity().certificate()).toString());

        Told told = new Told();
        RegistrationOptions registration =
                new RegistrationOptions(remote(n2), "n2", "", dev.tulle.model.Locality.NONE, "192.0.2.2");
        try (RegistrationClient node = XdsClients.register(registration, told);
                XdsClient client = XdsClients.connect(new XdsClientOptions(remote(n2), "n2", "agent"))) {
            NodeLease lease = told.lease();
            assertTrue(lease.nodes());
            String address = lease.prefix().replace(".0/24", ".2");
            RegistrationAnswer answer = node.register(web(address)).get(20, TimeUnit.SECONDS);
            assertInstanceOf(RegistrationAnswer.Accepted.class, answer, answer.toString());

            Seen<Workload> workloads = new Seen<>();
            try (Subscription _ = client.watch(ResourceType.WORKLOAD, "/" + address, workloads)) {
                Workload workload = workloads.take();
                assertEquals("n2", workload.node());
                assertEquals("192.0.2.2", workload.nodeAddress());
            }
            NodeView view = plane.nodeViews().getFirst();
            assertEquals("n2", view.name());
            assertEquals("connected", view.state());
            assertEquals(1, view.workloads());
        }
        String again = why(assertThrows(IOException.class, () -> join(token, "n3")));
        assertTrue(again.contains("is not known: it was used"), again);
    }

    private static WorkloadRegistration web(String address) {
        return new WorkloadRegistration(
                "web",
                "default",
                "default",
                List.of(address),
                Map.of(),
                List.of("web"),
                List.of(new Workload.WorkloadPort(80, AppProtocol.HTTP)),
                true);
    }

    @Test
    void aTokenOfAnotherRootAnotherSecretOrForAnotherNodeLetsNobodyIn() throws Exception {
        JoinToken token = JoinToken.parse(plane.createToken("only", HOUR).text());
        JoinToken otherRoot = new JoinToken(token.id(), token.secret(), "A".repeat(43));
        String root = why(assertThrows(IOException.class, () -> join(otherRoot.text(), "only")));
        assertTrue(root.contains("does not show the root that the token names"), root);

        JoinToken otherSecret = new JoinToken(token.id(), "A".repeat(43), token.root());
        String secret = why(assertThrows(IOException.class, () -> join(otherSecret.text(), "only")));
        assertTrue(secret.contains("has another secret"), secret);

        String node = why(assertThrows(IOException.class, () -> join(token.text(), "n9")));
        assertTrue(node.contains("is for node only, found n9"), node);
        // It was shown and is used up: whoever has got hold of it cannot try other names.
        assertThrows(IOException.class, () -> join(token.text(), "only"));
    }

    @Test
    void anExpiredTokenLetsNobodyIn() throws Exception {
        String token = plane.createToken("", Duration.ofMillis(1)).text();
        Thread.sleep(20);
        String why = why(assertThrows(IOException.class, () -> join(token, "n2")));
        assertTrue(why.contains("expected a new one, see tulle token create"), why);
    }

    @Test
    void aNodeSpeaksForItselfAlone() throws Exception {
        Member n2 = join(plane.createToken("", HOUR).text(), "n2");
        Told told = new Told();
        try (RegistrationClient _ = XdsClients.register(
                new RegistrationOptions(remote(n2), "n1", "", dev.tulle.model.Locality.NONE, ""), told)) {
            String trouble = told.trouble();
            assertTrue(trouble.contains("PERMISSION_DENIED"), trouble);
            assertTrue(trouble.contains("a hello of node n1, expected that of its own node"), trouble);
        }
        Seen<Service> seen = new Seen<>();
        try (XdsClient client = XdsClients.connect(new XdsClientOptions(remote(n2), "n1", "agent"));
                Subscription _ = client.watch(ResourceType.SERVICE, "/240.240.0.1", seen)) {
            String trouble = seen.trouble();
            assertTrue(trouble.contains("says it is of node n1, expected its own"), trouble);
        }
    }

    @Test
    void aRemovedNodeIsOutWhateverItsCertificateSays() throws Exception {
        Member n2 = join(plane.createToken("", HOUR).text(), "n2");
        Told told = new Told();
        RegistrationOptions registration =
                new RegistrationOptions(remote(n2), "n2", "", dev.tulle.model.Locality.NONE, "");
        try (RegistrationClient _ = XdsClients.register(registration, told)) {
            assertNotNull(told.lease());
            assertTrue(plane.removeNode("n2"));
            String trouble = told.trouble();
            assertTrue(trouble.contains("removed") || trouble.contains("which has joined"), trouble);
            assertTrue(plane.nodeViews().isEmpty(), plane.nodeViews().toString());
        }
        assertFalse(plane.removeNode("n2"));

        Seen<Service> seen = new Seen<>();
        try (XdsClient client = XdsClients.connect(new XdsClientOptions(remote(n2), "n2", "proxy"));
                Subscription _ = client.watch(ResourceType.SERVICE, "/240.240.0.1", seen)) {
            String trouble = seen.trouble();
            assertTrue(trouble.contains("expected its own, which has joined"), trouble);
        }
        SpiffeId proxies = SpiffeId.proxy("cluster.local", "n2");
        String request = CsrMaker.pem(CsrMaker.newKey());
        String why =
                why(assertThrows(IOException.class, () -> new CertificateClient(remote(n2)).sign(proxies, request)));
        assertTrue(why.contains("expected a node that has joined and was not removed"), why);
    }

    @Test
    void withoutTokensAndNodesThePortIsClosed() throws Exception {
        assertThrows(IOException.class, () -> new Socket(InetAddress.getLoopbackAddress(), port).close());
        plane.createToken("", HOUR);
        new Socket(InetAddress.getLoopbackAddress(), port).close();
    }

    @Test
    void aNodeIsServedAgainAfterARestartOfTheControlPlane() throws Exception {
        Member n2 = join(plane.createToken("", HOUR).text(), "n2");
        Told told = new Told();
        try (RegistrationClient _ = XdsClients.register(
                new RegistrationOptions(remote(n2), "n2", "", dev.tulle.model.Locality.NONE, ""), told)) {
            NodeLease before = told.lease();
            plane.close();
            plane = ControlPlane.start(options);
            assertEquals(before.prefix(), told.lease().prefix());
        }
    }

    /** What a node is told of its lease. */
    private static final class Told implements RegistrationClient.Listener {
        private final BlockingQueue<NodeLease> leases = new LinkedBlockingQueue<>();
        private final BlockingQueue<String> troubles = new LinkedBlockingQueue<>();

        @Override
        public void onLease(NodeLease lease) {
            leases.add(lease);
        }

        @Override
        public void onTrouble(String reason) {
            troubles.add(reason);
        }

        NodeLease lease() throws InterruptedException {
            NodeLease lease = leases.poll(20, TimeUnit.SECONDS);
            assertNotNull(lease, "no lease; troubles: " + troubles);
            return lease;
        }

        String trouble() throws InterruptedException {
            String trouble = troubles.poll(20, TimeUnit.SECONDS);
            assertNotNull(trouble, "no trouble");
            return trouble;
        }
    }

    /** What a client is told of a resource. */
    private static final class Seen<T> implements ResourceWatcher<T> {
        private final BlockingQueue<T> values = new LinkedBlockingQueue<>();
        private final BlockingQueue<String> troubles = new LinkedBlockingQueue<>();

        @Override
        public void onChanged(T value) {
            values.add(value);
        }

        @Override
        public void onAbsent() {
            troubles.add("absent");
        }

        @Override
        public void onTrouble(String reason) {
            troubles.add(reason);
        }

        T take() throws InterruptedException {
            T value = values.poll(20, TimeUnit.SECONDS);
            assertNotNull(value, "nothing; troubles: " + troubles);
            return value;
        }

        String trouble() throws InterruptedException {
            String trouble = troubles.poll(20, TimeUnit.SECONDS);
            assertNotNull(trouble, "no trouble");
            return trouble;
        }
    }
}
