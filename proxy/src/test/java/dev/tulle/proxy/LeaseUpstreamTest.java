package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.lease.LeaseState;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the server does on a connection that the kernel has, in each of its states. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class LeaseUpstreamTest {
    @Test
    void idleConnectionsThatSpeakOrEndAreClosed() throws Exception {
        for (LeaseState state : new LeaseState[] {LeaseState.POOLED, LeaseState.HELD}) {
            for (boolean speaks : new boolean[] {true, false}) {
                try (Lent lent = new Lent(Lent.NEVER)) {
                    if (state == LeaseState.HELD) {
                        lent.kernel.hold(lent.given, lent.lease);
                    }
                    if (speaks) {
                        lent.server
                                .getOutputStream()
                                .write(Lent.bytes("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted"));
                    } else {
                        lent.server.shutdownOutput();
                    }
                    lent.awaitClosed();
                    lent.stillServes();
                    assertEquals(lent.connections, lent.origin.connections.get());
                }
            }
        }
    }

    @Test
    void aConnectionThatIsToBeRenewedIsClosedAndTheNextOneLent() throws Exception {
        KernelModel kernel = new KernelModel();
        kernel.renewals = 1;
        try (Lent lent = new Lent(Lent.NEVER, Meshes.mesh(), kernel)) {
            KernelModel.Lease first = kernel.leases.values().stream()
                    .filter(lease -> lease.renew)
                    .findFirst()
                    .orElseThrow();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            while (first.channel.isOpen() && System.nanoTime() < end) {
                Thread.sleep(5);
            }
            assertFalse(first.channel.isOpen());
            assertNotSame(first, lent.lease);
            lent.stillServes();
        }
    }

    @Test
    void answersWhatTheKernelHasSent() throws Exception {
        try (Lent lent = new Lent((request, out, socket) -> {
            out.write(Lent.bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
            return true;
        })) {
            for (int i = 0; i < 3; i++) {
                KernelModel.Client client = lent.kernel.given();
                KernelModel.Lease lease = lent.kernel.lease(LeaseState.POOLED);
                lent.kernel.send(client, lease, Lent.GET);
                RawClient.Response response = lent.client.read(false);
                assertEquals("abc", response.body());
                assertEquals(200, response.code());
            }
            lent.stillServes();
            assertEquals(lent.connections, lent.origin.connections.get());
            // Each once, also those that the kernel had begun.
            assertEquals(lent.served + 3, lent.mesh.sum("istio_requests_total", "response_code=\"200\""));
            assertEquals(3, lent.mesh.sum("tulle_proxy_kernel_taken_total", "state=\"sent\""));
        }
    }

    @Test
    void passesErrorsOnAndKeepsTheConnection() throws Exception {
        try (Lent lent = new Lent((request, out, socket) -> {
            out.write(Lent.bytes(
                    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"));
            return true;
        })) {
            lent.kernel.send(lent.given, lent.lease, Lent.GET);
            assertEquals(103, lent.client.read(false).code());
            assertEquals(404, lent.client.read(false).code());
            lent.stillServes();
        }
    }

    @Test
    void retriesALostRequestThatMayBeRepeated() throws Exception {
        try (Lent lent = new Lent((request, out, socket) -> {
            out.write(Lent.bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"));
            return true;
        })) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            lent.server.close();
            assertEquals("again", lent.client.read(false).body());
            assertEquals("GET /k HTTP/1.1", lent.origin.requests.getLast().line());
            assertEquals(lent.connections + 1, lent.origin.connections.get());
            assertEquals(1, lent.mesh.sum("tulle_proxy_kernel_lost_total"));
            assertEquals(lent.served + 1, lent.mesh.sum("istio_requests_total"));
        }
    }

    @Test
    void answers503ForALostRequestThatMayNotBeRepeated() throws Exception {
        for (String request : new String[] {
            "POST /k HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n",
            "PUT /k HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\nabc"
        }) {
            try (Lent lent = new Lent(Lent.NEVER)) {
                lent.kernel.take(lent.given, lent.lease, request);
                lent.server.close();
                RawClient.Response response = lent.client.read(false);
                assertEquals(503, response.code());
                assertTrue(response.body().contains("disconnect/reset before headers"), response.body());
                assertEquals(1, lent.mesh.sum("istio_requests_total", "response_flags=\"UC\""));
                lent.stillServes();
            }
        }
    }

    @Test
    void seesAResetThoughTheKernelHasForgottenTheConnection() throws Exception {
        try (Lent lent = new Lent((request, out, socket) -> {
            out.write(Lent.bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"));
            return true;
        })) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            lent.kernel.reset(lent.lease);
            lent.server.setSoLinger(true, 0);
            lent.server.close();
            assertEquals("again", lent.client.read(false).body());
            assertEquals(lent.connections + 1, lent.origin.connections.get());
        }
    }

    @Test
    void relaysTheRestOfAResponse() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            // The head and the first bytes went the kernel's way.
            lent.kernel.answering(lent.lease, 200, 4);
            lent.server.getOutputStream().write(Lent.bytes("rest"));
            assertEquals("rest", new String(lent.client.in().readNBytes(4), StandardCharsets.ISO_8859_1));
            lent.stillServes();
            assertEquals(lent.connections, lent.origin.connections.get());
            // The kernel has counted it.
            assertEquals(lent.served, lent.mesh.sum("istio_requests_total"));
        }
    }

    @Test
    void closesTheClientWhenAResponseBreaksOff() throws Exception {
        for (String part : new String[] {"re", ""}) {
            try (Lent lent = new Lent(Lent.NEVER)) {
                lent.kernel.take(lent.given, lent.lease, Lent.GET);
                lent.kernel.answering(lent.lease, 200, 4);
                lent.server.getOutputStream().write(Lent.bytes(part));
                lent.server.shutdownOutput();
                byte[] got = lent.client.in().readNBytes(4);
                assertEquals(part, new String(got, StandardCharsets.ISO_8859_1));
                assertTrue(lent.client.isClosed());
            }
        }
    }

    @Test
    void closesTheClientWhenAResponseIsReset() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.take(lent.given, lent.lease, Lent.GET);
            lent.kernel.answering(lent.lease, 200, 4);
            lent.kernel.reset(lent.lease);
            lent.server.setSoLinger(true, 0);
            lent.server.close();
            assertTrue(lent.client.isClosed());
        }
    }

    @Test
    void aServerThatBreaksTheProtocolIsCutOff() throws Exception {
        try (Lent lent = new Lent((request, out, socket) -> {
            out.write(Lent.bytes("nonsense\r\n\r\n"));
            return true;
        })) {
            lent.kernel.send(lent.given, lent.lease, Lent.GET);
            assertEquals(502, lent.client.read(false).code());
            lent.awaitClosed();
        }
    }

    @Test
    void anAnswerToNobodyClosesTheConnection() throws Exception {
        try (Lent lent = new Lent((request, out, socket) -> {
            Thread.sleep(200);
            out.write(Lent.bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
            return true;
        })) {
            lent.kernel.send(lent.given, lent.lease, Lent.GET);
            lent.client.socket.setSoLinger(true, 0);
            lent.client.close();
            lent.awaitClosed();
            assertThrows(IOException.class, () -> lent.client.read(false));
        }
    }
}
