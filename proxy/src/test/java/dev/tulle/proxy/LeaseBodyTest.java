package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.lease.LeaseState;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests of which the kernel has sent the head and a part of the body: the proxy goes on as if it had sent them itself. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class LeaseBodyTest {
    private static final String HEAD = " /k HTTP/1.1\r\nHost: web\r\nContent-Length: 10\r\n\r\n";
    private static final String ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /** Answers with the body. */
    private static final Origin.Script ECHO = (request, out, socket) -> {
        out.write(Lent.bytes(
                "HTTP/1.1 200 OK\r\nContent-Length: " + request.body().length() + "\r\n\r\n" + request.body()));
        return true;
    };

    /** The kernel has sent this of a request, and this many bytes are to come. */
    private static void begin(Lent lent, String beginning, int left) throws InterruptedException {
        lent.kernel.begin(lent.given, lent.lease, beginning, left);
        // It is on its way before the client sends anything else.
        lent.lease.channel.eventLoop().submit(() -> {}).sync();
    }

    @Test
    void theRestOfABodyIsSentOnAndTheConnectionUsedAgain() throws Exception {
        try (Lent lent = new Lent(ECHO)) {
            begin(lent, "POST" + HEAD + "abc", 7);
            lent.send("def");
            lent.kernel.await(kernel -> lent.lease.state == LeaseState.PROXY, "the lease taken");
            lent.send("ghij" + Lent.FIRST);
            assertEquals("abcdefghij", lent.client.read(false).body());
            assertEquals("first", lent.client.read(false).body());
            lent.stillServes();
            assertEquals(lent.connections, lent.origin.connections.get());
            assertEquals(1, lent.mesh.sum("tulle_proxy_kernel_taken_total", "state=\"body\""));
            assertEquals(10, (int) lent.mesh.sum("istio_request_bytes_sum"));
        }
    }

    @Test
    void anAnswerBeforeTheEndIsTheLastOne() throws Exception {
        try (Lent lent = new Lent(Lent.NEVER)) {
            begin(lent, "POST" + HEAD, 10);
            lent.serverSays(ANSWER);
            RawClient.Response response = lent.client.read(false);
            assertEquals("ok", response.body());
            assertEquals("close", response.field("connection"));
            assertTrue(lent.client.isClosed());
            lent.awaitClosed();
        }
    }

    @Test
    void aServerThatClosesInTheMiddleIsA503() throws Exception {
        for (boolean reset : new boolean[] {false, true}) {
            try (Lent lent = new Lent(Lent.NEVER)) {
                begin(lent, "PUT" + HEAD + "abc", 7);
                if (reset) {
                    lent.kernel.reset(lent.lease);
                    lent.server.setSoLinger(true, 0);
                }
                lent.server.close();
                assertEquals(503, lent.client.read(false).code());
                assertTrue(lent.client.isClosed());
                assertEquals(1, lent.mesh.sum("istio_requests_total", "response_flags=\"UC\""));
                assertEquals(1, lent.mesh.sum("tulle_proxy_kernel_lost_total"));
            }
        }
    }

    @Test
    void aRequestNoneOfWhoseBodyWasSentIsRepeatedIfItMayBe() throws Exception {
        try (Lent lent = new Lent(ECHO)) {
            begin(lent, "PUT" + HEAD, 10);
            lent.server.close();
            lent.kernel.await(kernel -> lent.lease.state == LeaseState.PROXY, "the lease taken");
            lent.send("0123456789");
            assertEquals("0123456789", lent.client.read(false).body());
            assertEquals(lent.connections + 1, lent.origin.connections.get());
            lent.stillServes();
        }
    }

    @Test
    void aClientThatEndsInTheMiddleTakesTheConnectionAlong() throws Exception {
        for (boolean reset : new boolean[] {false, true}) {
            try (Lent lent = new Lent(Lent.NEVER)) {
                begin(lent, "POST" + HEAD + "abc", 7);
                if (reset) {
                    lent.client.socket.setSoLinger(true, 0);
                }
                lent.client.close();
                lent.awaitClosed();
            }
        }
    }

    @Test
    void aConnectionThatMayStillGetAPieceIsNotUsedAgain() throws Exception {
        try (Lent lent = new Lent(ECHO)) {
            begin(lent, "POST" + HEAD + "abc", 7);
            lent.lease.unproven = true;
            lent.send("defghij");
            assertEquals("abcdefghij", lent.client.read(false).body());
            lent.awaitClosed();
            lent.stillServes();
        }
        try (Lent lent = new Lent(Lent.NEVER)) {
            lent.kernel.hold(lent.given, lent.lease);
            lent.lease.unproven = true;
            lent.client.close();
            lent.awaitClosed();
        }
    }
}
