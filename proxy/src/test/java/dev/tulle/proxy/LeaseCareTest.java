package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.RetryPolicy;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.WeightedCluster;
import dev.tulle.proxy.lease.LeaseState;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What nobody says and the proxy sees to: timeouts, configuration, bounds, drain, programs that go away. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class LeaseCareTest {
    private static final long TIMEOUT = 300;

    private static Meshes timed() {
        return Meshes.mesh()
                .routes(Meshes.route(
                        "timed",
                        RouteMatch.ANY,
                        Meshes.action(
                                List.of(new WeightedCluster(Meshes.cluster(""), 1)),
                                Duration.ofMillis(TIMEOUT),
                                RetryPolicy.NONE)));
    }

    @Test
    void answersAtTheTimeout() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER, timed())) {
            lent.lease.timeoutMillis = (int) TIMEOUT;
            long began = System.nanoTime();
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            assertEquals(504, lent.client.read(false).code());
            long millis = (System.nanoTime() - began) / 1_000_000;
            assertTrue(millis >= TIMEOUT && millis < TIMEOUT + 500, () -> millis + " ms");
            lent.awaitClosed();
            assertEquals(1, lent.mesh.sum("istio_requests_total", "response_flags=\"UT\""));
            lent.stillServes();
        }
    }

    /** The kernel says by how much a request's end came later than its head. */
    @Test
    void theTimeoutCountsFromTheEndOfTheRequest() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER, timed())) {
            lent.lease.timeoutMillis = (int) TIMEOUT + 400;
            long began = System.nanoTime();
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            assertEquals(504, lent.client.read(false).code());
            long millis = (System.nanoTime() - began) / 1_000_000;
            assertTrue(millis >= TIMEOUT + 400 && millis < TIMEOUT + 900, () -> millis + " ms");
        }
    }

    @Test
    void closesBothWhenAResponseTakesTooLong() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER, timed())) {
            lent.lease.timeoutMillis = (int) TIMEOUT;
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            lent.kernel.answering(lent.lease, 200, 4);
            assertTrue(lent.client.isClosed());
            lent.awaitClosed();
        }
    }

    @Test
    void aRetiredEndpointLosesItsConnections() throws Exception {
        for (LeaseState state : new LeaseState[] {LeaseState.POOLED, LeaseState.HELD, LeaseState.SENT}) {
            try (Lent lent = new Lent(Lent.NEVER);
                    Origin other = Origin.answering("other")) {
                switch (state) {
                    case HELD -> lent.kernel.hold(lent.given, lent.lease);
                    case SENT -> lent.kernel.take(lent.given, lent.lease, Lent.GET);
                    default -> assertEquals(LeaseState.POOLED, lent.lease.state);
                }
                lent.mesh.xds.set(Meshes.mesh().subset("", other.port()).build());
                if (state == LeaseState.SENT) {
                    Thread.sleep(100);
                    lent.serverSays("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                    assertEquals("ok", lent.client.read(false).body());
                }
                // A loop takes a change over with its next request.
                for (int i = 0; lent.lease.channel.isOpen() && i < 100; i++) {
                    lent.send(Lent.FIRST);
                    lent.client.read(false);
                    Thread.sleep(20);
                }
                lent.awaitClosed();
                lent.send(Lent.FIRST);
                assertEquals("other", lent.client.read(false).body());
            }
        }
    }

    @Test
    void aClientThatDoesNotUseItsLeaseLosesIt() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.hold(lent.given, lent.lease);
            synchronized (lent.kernel) {
                lent.lease.since = System.nanoTime() - TimeUnit.SECONDS.toNanos(11);
            }
            lent.kernel.await(kernel -> kernel.count("offer") > 1, "another offer");
            assertEquals(LeaseState.POOLED, lent.kernel.state(lent.lease));
        }
    }

    @Test
    void aBoundOnConnectionsIsKeptByTakingOneBack() throws Exception {
        KernelModel kernel = new KernelModel();
        try (Origin origin = Origin.answering("hello");
                ProxyFixture mesh = new ProxyFixture(
                        // Two loops share the bound.
                        Meshes.mesh().bounded("", 2, 2, origin.port()).build(), kernel);
                RawClient client = new RawClient(mesh.port)) {
            for (int i = 0; i < 10; i++) {
                assertEquals("hello", client.send(Lent.GET).read(false).body());
            }
            assertEquals(1, origin.connections.get());
            assertNotEquals(0, kernel.count("offer"));
        }
    }

    @Test
    void drainLetsFinishWhatIsUnderWay() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER);
                RawClient idle = new RawClient(lent.mesh.port)) {
            assertEquals("first", idle.send(Lent.FIRST).read(false).body());
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            Thread closing = Thread.ofVirtual().start(lent.mesh.proxy::close);
            assertTrue(idle.isClosed());
            lent.kernel.await(kernel -> lent.lease.state == LeaseState.PROXY, "the lease taken");
            lent.serverSays("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            RawClient.Response last = lent.client.read(false);
            assertEquals("ok", last.body());
            assertEquals("close", last.field("connection"));
            assertTrue(lent.client.isClosed());
            closing.join();
        }
    }

    @Test
    void closesWhatTheKernelHadWhenItsProgramsGo() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            synchronized (lent.kernel) {
                lent.kernel.there = false;
            }
            assertTrue(lent.client.isClosed());
            lent.awaitClosed();
            assertEquals(200, RawClient.once(lent.mesh.port, Lent.FIRST).code());
        }
    }

    @Test
    void theAdministratorSeesWhatIsLent() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.hold(lent.given, lent.lease);
            String page = lent.mesh.proxy.adminApi().answer("clusters").toString();
            assertTrue(page.contains("\"offeredConnections\":1"), page);
            assertTrue(page.contains("\"heldConnections\":1"), page);
            assertTrue(page.contains("\"takenRequests\":0"), page);
        }
    }
}
