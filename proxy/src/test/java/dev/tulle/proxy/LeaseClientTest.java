package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.lease.LeaseState;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the client does on a connection that the kernel may have, in each state of the lease; and when it is given. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class LeaseClientTest {
    private static final String ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    @Test
    void laterBytesWaitBehindARequestOfTheKernel() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            lent.send(Lent.FIRST);
            lent.kernel.await(kernel -> lent.lease.state == LeaseState.PROXY, "the lease taken");
            lent.serverSays(ANSWER);
            assertEquals("ok", lent.client.read(false).body());
            assertEquals("first", lent.client.read(false).body());
            lent.stillServes();
        }
    }

    @Test
    void laterBytesWaitBehindAResponseOfTheKernel() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            lent.kernel.answering(lent.lease, 200, 4);
            lent.send(Lent.FIRST);
            lent.kernel.await(kernel -> lent.lease.state == LeaseState.PROXY, "the lease taken");
            lent.serverSays("rest");
            assertEquals("rest", new String(lent.client.in().readNBytes(4), StandardCharsets.ISO_8859_1));
            assertEquals("first", lent.client.read(false).body());
        }
    }

    @Test
    void aRequestBesideALeaseInHandIsAnOrdinaryOne() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.hold(lent.given, lent.lease);
            lent.stillServes();
            assertEquals(LeaseState.HELD, lent.kernel.state(lent.lease));
        }
    }

    @Test
    void aClientThatLeavesGivesItsLeaseBack() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.hold(lent.given, lent.lease);
            lent.client.close();
            lent.kernel.await(kernel -> lent.lease.taken == LeaseState.HELD, "the lease taken");
            // With no other client there is nobody to lend it to.
            assertTrue(lent.lease.channel.isOpen());
        }
    }

    @Test
    void aClientThatLeavesInTheMiddleTakesItsLeaseAlong() throws Exception {
        for (boolean answering : new boolean[] {true, false}) {
            try (Lent lent = new Lent(Lent.NEVER)) {
                lent.kernel.take(lent.given, lent.lease, Lent.GET);
                if (answering) {
                    lent.kernel.answering(lent.lease, 200, 4);
                }
                lent.client.socket.setSoLinger(true, 0);
                lent.client.close();
                lent.awaitClosed();
            }
        }
    }

    @Test
    void aClientThatWasResetIsMissedSoon() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.hold(lent.given, lent.lease);
            synchronized (lent.kernel) {
                // The kernel's record goes with the connection.
                lent.kernel.clients.clear();
            }
            lent.client.socket.setSoLinger(true, 0);
            lent.client.close();
            lent.kernel.await(kernel -> lent.lease.taken == LeaseState.HELD, "the lease taken");
        }
    }

    @Test
    void givesLessAndLessOftenWhatIsNotUsed() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            long before = lent.kernel.count("give");
            for (int i = 0; i < 200; i++) {
                lent.stillServes();
            }
            // After 1, 2, 4, 8, 16, 32, 64 and 64 exchanges; more often where the client was faster than the giving.
            long gives = lent.kernel.count("give") - before;
            assertTrue(gives >= 5 && gives <= 40, () -> gives + " times");
            assertFalse(lent.kernel.count("client") > lent.kernel.count("give") + 2);
        }
    }

    @Test
    void givesAgainAtOnceWhatIsUsed() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            for (int i = 0; i < 20; i++) {
                KernelModel.Client client = lent.kernel.given();
                KernelModel.Lease lease = lent.kernel.lease(LeaseState.POOLED);
                lent.kernel.take(client, lease, Lent.GET);
                lent.kernel.answered(lease);
                lent.kernel.pool(lease);
                long before = lent.kernel.count("give");
                lent.stillServes();
                lent.kernel.await(kernel -> kernel.count("give") > before, "GIVE after one exchange");
            }
        }
    }

    @Test
    void aConnectionThatTheKernelDoesNotKnowIsGivenOnce() throws Exception {
        KernelModel kernel = new KernelModel();
        kernel.knowsClients = false;
        try (Origin origin = Origin.answering("hello");
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build(), kernel);
                RawClient client = new RawClient(mesh.port)) {
            for (int i = 0; i < 50; i++) {
                assertEquals("hello", client.send(Lent.GET).read(false).body());
            }
            assertEquals(1, kernel.count("give"));
            assertEquals(1, kernel.count("client"));
        }
    }

    @Test
    void asksOnceWhereThereIsNoKernelHttp() throws Exception {
        KernelModel kernel = new KernelModel();
        kernel.there = false;
        try (Origin origin = Origin.answering("hello");
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build(), kernel)) {
            for (int i = 0; i < 20; i++) {
                try (RawClient client = new RawClient(mesh.port)) {
                    assertEquals("hello", client.send(Lent.GET).read(false).body());
                    assertEquals("hello", client.send(Lent.GET).read(false).body());
                }
            }
            // Once on each of the two loops, in ten seconds.
            assertTrue(kernel.calls.size() <= 2, kernel.calls::toString);
        }
    }

    @Test
    void anEdgeIsNeverGiven() throws Exception {
        KernelModel kernel = new KernelModel();
        try (Origin origin = Origin.answering("hello");
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build(), kernel)) {
            int port = mesh.proxy.listenExplicit("127.0.0.1", 0);
            assertEquals(200, RawClient.get(port, "/web/a").code());
            assertEquals(0, kernel.count("give") + kernel.count("offer"));
        }
    }
}
