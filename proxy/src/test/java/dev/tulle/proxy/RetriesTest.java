package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.RetryPolicy;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Timeouts, further tries and what replicas that do not answer are spared. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class RetriesTest {
    private static int closedPort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    @Test
    void timeouts() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(5_000);
                    return false;
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(Meshes.retrying(Duration.ofMillis(200), RetryPolicy.DEFAULT))
                        .build());
                RawClient client = new RawClient(proxy.port)) {
            long began = System.nanoTime();
            assertEquals(
                    504,
                    client.send("GET / HTTP/1.1\r\nHost: w\r\n\r\n").read(false).code());
            long millis = (System.nanoTime() - began) / 1_000_000;
            assertTrue(millis >= 200 && millis < 2_000, "took " + millis + " ms");
            assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"UT\""));
        }
    }

    /** As Envoy's: a slow upload is no slow server. */
    @Test
    void timeoutsCountFromTheEndOfTheRequest() throws Exception {
        try (Origin origin = Origin.start((request, out, socket) -> {
                    Thread.sleep(request.line().contains("/slow") ? 2_000 : 0);
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(Meshes.retrying(Duration.ofMillis(500), RetryPolicy.DEFAULT))
                        .build())) {
            for (boolean chunked : List.of(false, true)) {
                try (RawClient client = new RawClient(proxy.port)) {
                    client.send("POST /up HTTP/1.1\r\nHost: w\r\n"
                            + (chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 9\r\n\r\n"));
                    for (int i = 0; i < 3; i++) {
                        Thread.sleep(300);
                        client.send(chunked ? "3\r\nabc\r\n" : "abc");
                    }
                    client.send(chunked ? "0\r\n\r\n" : "");
                    assertEquals("ok", client.read(false).body());
                }
            }
            assertEquals("abcabcabc", origin.requests.get(1).body());
            try (RawClient client = new RawClient(proxy.port)) {
                client.send("POST /slow HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nab");
                Thread.sleep(700);
                long began = System.nanoTime();
                assertEquals(504, client.send("c").read(false).code());
                long millis = (System.nanoTime() - began) / 1_000_000;
                assertTrue(millis >= 450 && millis < 1_900, "took " + millis + " ms");
            }
        }
    }

    @Test
    void connectFailuresAreRetriedElsewhere() throws Exception {
        try (Origin origin = Origin.answering("ok");
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().subset("", closedPort(), origin.port()).build())) {
            for (int i = 0; i < 20; i++) {
                assertEquals(
                        200,
                        RawClient.once(proxy.port, "POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabc")
                                .code());
            }
            assertTrue(
                    origin.requests.stream().allMatch(request -> request.body().equals("abc")));
        }
        try (ProxyFixture proxy =
                new ProxyFixture(Meshes.mesh().subset("", closedPort()).build())) {
            assertEquals(503, RawClient.get(proxy.port, "/").code());
            assertEquals(1, proxy.sum("istio_requests_total", "response_flags=\"UF,URX\""));
        }
    }

    /**
     * One of two replicas is gone. Having nothing to do it is always the less busy one, so that whoever draws anew draws
     * it again.
     */
    @Test
    void theReplicaThatIsGoneIsLeftOut() throws Exception {
        for (Cluster.Balancing balancing : Cluster.Balancing.values()) {
            try (Origin slow = Origin.start((request, out, socket) -> {
                        Thread.sleep(2);
                        out.write(
                                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
                        return true;
                    });
                    ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                            .balancing(balancing)
                            .subset("", closedPort(), slow.port())
                            .build())) {
                List<Thread> callers = new ArrayList<>();
                Queue<Integer> codes = new ConcurrentLinkedQueue<>();
                for (int i = 0; i < 8; i++) {
                    callers.add(Thread.ofVirtual().start(() -> {
                        try (RawClient client = new RawClient(proxy.port)) {
                            for (int n = 0; n < 50; n++) {
                                codes.add(client.send("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\n\r\nx")
                                        .read(false)
                                        .code());
                            }
                        } catch (IOException e) {
                            codes.add(-1);
                        }
                    }));
                }
                for (Thread caller : callers) {
                    caller.join();
                }
                assertEquals(Set.of(200), Set.copyOf(codes), balancing.toString());
                assertEquals(400, codes.size());
            }
        }
    }

    @Test
    void aReplicaThatIsBackIsFound() throws Exception {
        int port = closedPort();
        try (Origin one = Origin.answering("one");
                ProxyFixture proxy = new ProxyFixture(
                        Meshes.mesh().subset("", port, one.port()).build())) {
            for (int i = 0; i < 20; i++) {
                assertEquals("one", RawClient.get(proxy.port, "/").body());
            }
            try (Origin back = Origin.answering(port, "back")) {
                long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
                while (back.requests.isEmpty() && System.nanoTime() < end) {
                    assertEquals(200, RawClient.get(proxy.port, "/").code());
                    Thread.sleep(20);
                }
                assertTrue(!back.requests.isEmpty(), "nobody has tried it again");
                for (int i = 0; i < 20; i++) {
                    RawClient.get(proxy.port, "/");
                }
                assertTrue(back.requests.size() > 2, "it gets no share: " + back.requests.size());
            }
        }
    }

    @Test
    void answersAreRetriedWithTheirBodies() throws Exception {
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    String code = number.incrementAndGet() < 3 ? "503 Busy" : "200 OK";
                    out.write(("HTTP/1.1 " + code + "\r\nContent-Length: "
                                    + request.body().length() + "\r\n\r\n" + request.body())
                            .getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(Meshes.retrying(
                                Duration.ofSeconds(5), new RetryPolicy(3, Duration.ZERO, Set.of("5xx"))))
                        .build())) {
            Map<String, String> bodies = Map.of(
                    "Content-Length: 3\r\n\r\nabc", "abc",
                    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc",
                    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "");
            for (Map.Entry<String, String> body : bodies.entrySet()) {
                number.set(0);
                String request = "POST / HTTP/1.1\r\nHost: w\r\n" + body.getKey();
                RawClient.Response response = RawClient.once(proxy.port, request);
                assertEquals(200, response.code(), request);
                assertEquals(body.getValue(), response.body());
                assertEquals(3, number.get());
            }
            number.set(-10);
            assertEquals(503, RawClient.get(proxy.port, "/").code());
            assertEquals(-6, number.get());
        }
    }

    @Test
    void perTryTimeoutsAreRetried() throws Exception {
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    if (number.incrementAndGet() == 1) {
                        Thread.sleep(3_000);
                        return false;
                    }
                    out.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(Meshes.retrying(
                                Duration.ofSeconds(5), new RetryPolicy(2, Duration.ofMillis(150), Set.of("5xx"))))
                        .build())) {
            assertEquals(200, RawClient.get(proxy.port, "/").code());
            assertEquals(2, number.get());
        }
    }

    @Test
    void aTimeoutOfATryIsRetriedOnlyWhereTheRouteSaysSo() throws Exception {
        AtomicInteger number = new AtomicInteger();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    number.incrementAndGet();
                    Thread.sleep(3_000);
                    return false;
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(Meshes.retrying(
                                Duration.ofSeconds(5),
                                new RetryPolicy(2, Duration.ofMillis(150), Set.of("connect-failure", "503"))))
                        .build())) {
            assertEquals(
                    504,
                    RawClient.once(proxy.port, "DELETE / HTTP/1.1\r\nHost: w\r\n\r\n")
                            .code());
            assertEquals(1, number.get());
        }
    }

    @Test
    void conditionsOfGrpcAskForItsStatus() throws Exception {
        AtomicInteger number = new AtomicInteger();
        String unavailable = "HTTP/1.1 200 OK\r\nGrpc-Status: 14\r\nContent-Length: 0\r\n\r\n";
        String plain = "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno";
        try (Origin origin = Origin.start((request, out, socket) -> {
                    String answer = number.incrementAndGet() == 1 ? unavailable : plain;
                    out.write(answer.getBytes(StandardCharsets.ISO_8859_1));
                    return true;
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .subset("", origin.port())
                        .routes(Meshes.retrying(
                                Duration.ofSeconds(5), new RetryPolicy(3, Duration.ZERO, Set.of("unavailable"))))
                        .build())) {
            assertEquals(503, RawClient.get(proxy.port, "/").code());
            assertEquals(2, number.get(), "the status of gRPC is tried again, that of HTTP is not");
        }
    }
}
