package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.LocalRefusals;
import dev.tulle.model.Service;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who the server serves, tried by processes of other users: the kernel tells who they are. */
class LocalPeersTest {
    private static final int PROXY = ServedMesh.PROXY;
    private static final int STRANGER = 5432;

    @TempDir
    private Path directory = Path.of("");

    private ServedMesh mesh;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    LocalPeersTest() {}

    @BeforeEach
    void start() throws IOException {
        mesh = new ServedMesh(directory);
    }

    @AfterEach
    void stop() {
        mesh.close();
    }

    @Test
    void theProxyReadsButRegistersNothing() throws Exception {
        try (AsUser proxy = mesh.as(PROXY, PROXY)) {
            Recorder<Service> service = new Recorder<>();
            try (XdsClient client = XdsClients.connect(new XdsClientOptions(proxy.socket(), "n1", "proxy"));
                    Subscription _ = client.watch(ResourceType.SERVICE, "/240.240.0.1", service)) {
                assertEquals("a", service.value(value -> true).hostname());
                String peer = mesh.owner.call(mesh.server::clients).getFirst().peer();
                assertTrue(peer.startsWith("uid " + PROXY + ", pid "), peer);
            }
            Told told = new Told();
            try (RegistrationClient node =
                    XdsClients.register(new RegistrationOptions(proxy.socket(), "n1", ""), told)) {
                String trouble = told.trouble();
                assertTrue(trouble.contains("PERMISSION_DENIED"), trouble);
                assertTrue(trouble.contains("registers nodes and workloads, expected root"), trouble);
                assertFalse(node.status().connected());
            }
            assertTrue(
                    mesh.refusals.all().stream()
                            .anyMatch(one -> one.where().equals("xds.sock")
                                    && one.who().startsWith("uid " + PROXY)
                                    && one.why().contains("expected root")),
                    mesh.refusals.all().toString());
        }
    }

    @Test
    void aStrangerWhoPassesTheFilesPermissionsIsClosedAtOnceAndCounted() throws Exception {
        try (AsUser stranger = mesh.as(STRANGER, PROXY)) {
            Recorder<Service> service = new Recorder<>();
            try (XdsClient client = XdsClients.connect(new XdsClientOptions(stranger.socket(), "n1", "proxy"));
                    Subscription _ = client.watch(ResourceType.SERVICE, "/240.240.0.1", service)) {
                assertEquals("connected", stranger.attempt());
                ClientServerTest.until(() -> mesh.refusals.total() > 0);
                LocalRefusals.Refusal refusal = mesh.refusals.all().getFirst();
                assertTrue(refusal.who().startsWith("uid " + STRANGER), refusal.who());
                assertEquals("expected root, uid " + PROXY, refusal.why());
                assertFalse(client.status().connected());
                assertEquals(0, mesh.owner.call(mesh.server::clients).size());
            }
        }
    }

    @Test
    void everybodyElseIsStoppedByTheKernel() throws Exception {
        try (AsUser stranger = mesh.as(STRANGER, STRANGER);
                XdsClient client = XdsClients.connect(new XdsClientOptions(stranger.socket(), "n1", "proxy"))) {
            assertEquals("Permission denied", stranger.attempt());
            assertFalse(client.status().connected());
        }
    }

    @Test
    void oneUserHasSoManyConnectionsAndNoMore() throws Exception {
        try (AsUser proxy = mesh.as(PROXY, PROXY)) {
            List<ManagedChannel> channels = new ArrayList<>();
            for (int i = 0; i < PeerCheck.MAX_PER_USER + 8; i++) {
                ManagedChannel channel = GrpcChannels.open(ControlAddress.of(proxy.socket()));
                assertNotEquals(ConnectivityState.SHUTDOWN, channel.getState(true));
                channels.add(channel);
            }
            ClientServerTest.until(() -> mesh.refusals.total() > 0);
            assertEquals(
                    "expected at most " + PeerCheck.MAX_PER_USER + " connections of a user",
                    mesh.refusals.all().getFirst().why());
            try (XdsClient root = XdsClients.connect(new XdsClientOptions(mesh.socket, "n1", "agent"))) {
                ClientServerTest.until(() -> root.status().connected());
            }
            channels.forEach(ManagedChannel::shutdownNow);
        }
    }

    private static final class Told implements RegistrationClient.Listener {
        private final BlockingQueue<String> troubles = new LinkedBlockingQueue<>();

        @Override
        public void onLease(NodeLease lease) {
            throw new AssertionError("a lease for a stranger: " + lease);
        }

        @Override
        public void onTrouble(String reason) {
            troubles.add(reason);
        }

        String trouble() throws InterruptedException {
            return String.valueOf(troubles.poll(20, TimeUnit.SECONDS));
        }
    }
}
