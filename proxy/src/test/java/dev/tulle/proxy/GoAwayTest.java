package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Listener;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.VirtualHost;
import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Goal: no request is lost when a connection of HTTP/2 goes away in order, on either side, and one whose other end is gone
 * without a word is found out. Method: peers whose frames the test decides.
 */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class GoAwayTest {
    private static final Route NO_RETRIES = Meshes.retrying(Duration.ZERO, RetryPolicy.NONE);
    /** Numbers of streams that the proxy opens. */
    private static final int FIRST = 3;

    private static final int SECOND = 5;
    private static final Http2Options IMPATIENT = new Http2Options(0, Duration.ofMillis(300), Duration.ofMillis(300));
    /** For ends that answer: they may be slow. */
    private static final Http2Options PATIENT = new Http2Options(0, Duration.ofMillis(300), Duration.ofSeconds(3));

    private static Meshes mesh(H2Server... servers) {
        int[] ports = new int[servers.length];
        for (int i = 0; i < ports.length; i++) {
            ports[i] = servers[i].port();
        }
        return Meshes.mesh().protocol(Cluster.Protocol.HTTP2).subset("", ports).routes(NO_RETRIES);
    }

    private static H2Frames.Frame until(H2Frames frames, int type) throws IOException {
        List<H2Frames.Frame> all = frames.until(type);
        H2Frames.Frame last = all.getLast();
        assertEquals(type, last.type(), all::toString);
        return last;
    }

    /** Reads a request to its end; the bytes of its body. */
    private static int request(H2Frames frames, int stream) throws IOException {
        int bytes = 0;
        while (true) {
            H2Frames.Frame frame = frames.nextOfStreams();
            if (frame.stream() == stream && frame.type() == H2Frames.DATA) {
                bytes += frame.length();
            }
            if (frame.stream() == stream && frame.endsStream()) {
                return bytes;
            }
        }
    }

    /** What a server says it has not read is sent again, whatever the method, and whatever the policy. */
    @ParameterizedTest
    @ValueSource(strings = {"goaway", "goaway and close", "refused", "refused twice"})
    void whatWasNotReadIsSentAgain(String how) throws Exception {
        AtomicInteger unread = new AtomicInteger(how.equals("refused twice") ? 2 : 1);
        AtomicInteger bytes = new AtomicInteger();
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    for (int stream = FIRST; ; stream += 2) {
                        int length = request(frames, stream);
                        if (unread.getAndDecrement() <= 0) {
                            bytes.addAndGet(length);
                            frames.ok(stream);
                        } else if (how.startsWith("refused")) {
                            frames.rst(stream, H2Frames.REFUSED_STREAM);
                        } else {
                            frames.goAway(0, H2Frames.NO_ERROR);
                            if (how.endsWith("close")) {
                                return;
                            }
                        }
                    }
                });
                ProxyFixture proxy = new ProxyFixture(mesh(server).build());
                H2Frames client = new H2Frames(proxy.port);
                RawClient old = new RawClient(proxy.port)) {
            client.post(1).frame(H2Frames.DATA, H2Frames.END_STREAM, 1, new byte[5000]);
            H2Frames.Frame answer = until(client, H2Frames.HEADERS);
            assertEquals("200", answer.fields().get(":status"));
            assertEquals(5000, bytes.get());
            unread.set(1);
            old.send("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabc");
            assertEquals(200, old.read(false).code());
            assertEquals(5003, bytes.get());
        }
    }

    /** A server that goes away answers what it has read, and gets nothing further. */
    @Test
    void whatWasReadIsAnsweredWhereItWasRead() throws Exception {
        CountDownLatch sentAgain = new CountDownLatch(1);
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    if (number == 1) {
                        request(frames, FIRST);
                        request(frames, SECOND);
                        frames.goAway(Integer.MAX_VALUE, H2Frames.NO_ERROR);
                        Thread.sleep(100);
                        frames.goAway(FIRST, H2Frames.NO_ERROR);
                        sentAgain.await();
                        frames.ok(FIRST);
                        // The proxy closes when the last answer has come.
                        assertTrue(frames.until(-1).stream().allMatch(f -> f.type() == H2Frames.GOAWAY));
                    } else {
                        request(frames, FIRST);
                        frames.ok(FIRST);
                        frames.until(-1);
                    }
                });
                ProxyFixture proxy = new ProxyFixture(mesh(server).build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1).get(3);
            assertEquals(3, until(client, H2Frames.HEADERS).stream(), "sent again at once");
            sentAgain.countDown();
            assertEquals(1, until(client, H2Frames.HEADERS).stream());
            assertEquals(List.of(), server.failures);
        }
    }

    /** One that never reads anything is not asked for ever. */
    @Test
    void aServerThatRefusesAllIsNotAskedForEver() throws Exception {
        AtomicInteger asked = new AtomicInteger();
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    for (int stream = FIRST; ; stream += 2) {
                        request(frames, stream);
                        asked.incrementAndGet();
                        frames.rst(stream, H2Frames.REFUSED_STREAM);
                    }
                });
                ProxyFixture proxy = new ProxyFixture(mesh(server).build())) {
            assertEquals(503, RawClient.get(proxy.port, "/").code());
            assertEquals(5, asked.get());
        }
    }

    /** Nothing is lost of what a client has sent before it can have heard that the proxy goes. */
    @Test
    void theProxyGoesInTwoSteps() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        try (Origin origin = Origin.start((request, out, socket) -> {
                    go.await();
                    out.write("HTTP/1.1 204 No Content\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
                    return true;
                });
                ProxyFixture proxy =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build());
                H2Frames busy = new H2Frames(proxy.port);
                H2Frames idle = new H2Frames(proxy.port)) {
            until(idle.frame(H2Frames.PING, 0, 0, new byte[8]), H2Frames.PING);
            busy.get(1);
            while (origin.requests.isEmpty()) {
                Thread.sleep(10);
            }
            Thread closes = Thread.ofVirtual().start(proxy.proxy::close);
            for (H2Frames client : List.of(busy, idle)) {
                H2Frames.Frame first = until(client, H2Frames.GOAWAY);
                assertEquals(Integer.MAX_VALUE, first.stream());
                assertEquals(H2Frames.NO_ERROR, first.code());
                H2Frames.Frame ping = until(client, H2Frames.PING);
                // Sent before it could be read that the connection goes.
                client.get(3);
                client.pong(ping);
            }
            for (H2Frames client : List.of(busy, idle)) {
                H2Frames.Frame last = until(client, H2Frames.GOAWAY);
                assertEquals(3, last.stream());
                // Beyond what was named: not answered, and not read.
                client.get(5);
            }
            go.countDown();
            assertEquals(
                    2,
                    busy.until(-1).stream()
                            .filter(f -> f.type() == H2Frames.HEADERS)
                            .count());
            assertEquals(
                    List.of(3),
                    idle.until(-1).stream()
                            .filter(f -> f.type() == H2Frames.HEADERS)
                            .map(H2Frames.Frame::stream)
                            .toList());
            closes.join();
            assertEquals(3, origin.requests.size());
        }
    }

    /** Servers that restart in order, one after the other and again and again, under load: not a call fails. */
    @Test
    void nothingIsLostWhenServersRestart() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        AtomicBoolean over = new AtomicBoolean();
        GrpcPeer[] servers = {new GrpcPeer(), new GrpcPeer()};
        int[] ports = {servers[0].port(), servers[1].port()};
        try (ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .subset("", ports)
                        .build());
                ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                all.add(threads.submit(() -> {
                    ManagedChannel channel = GrpcPeer.channel(proxy.port);
                    try {
                        while (!over.get()) {
                            byte[] asked = new byte[41 + calls.getAndIncrement() % 5000];
                            byte[] answer = ClientCalls.blockingUnaryCall(
                                    channel, GrpcPeer.UNARY, GrpcPeer.within(20_000), asked);
                            assertEquals(asked.length, answer.length);
                        }
                    } finally {
                        channel.shutdownNow();
                    }
                }));
            }
            for (int restart = 0; restart < 12; restart++) {
                Thread.sleep(150);
                servers[restart % 2].leave();
                servers[restart % 2] = new GrpcPeer(ports[restart % 2]);
            }
            over.set(true);
            for (Future<?> one : all) {
                one.get();
            }
            assertTrue(calls.get() > 200, calls + " calls");
            assertEquals(calls.get(), (int) proxy.sum("istio_requests_total", "response_code=\"200\""));
        } finally {
            for (GrpcPeer server : servers) {
                server.close();
            }
        }
    }

    /** A server that stands still is left when it gives no sign of life; one that does is kept. */
    @ParameterizedTest
    @CsvSource({"false", "true"})
    void aSilentServerIsAskedForASignOfLife(boolean lives) throws Exception {
        AtomicInteger pings = new AtomicInteger();
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    while (true) {
                        H2Frames.Frame frame = frames.nextOfStreams();
                        if (frame.type() == H2Frames.PING && pings.incrementAndGet() >= 3 && lives) {
                            frames.ok(FIRST);
                        }
                        if (frame.type() == H2Frames.PING && lives) {
                            frames.pong(frame);
                        }
                    }
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .http2(lives ? PATIENT : IMPATIENT)
                        .subset("", server.port())
                        .routes(NO_RETRIES)
                        .build())) {
            long began = System.nanoTime();
            RawClient.Response answer = RawClient.get(proxy.port, "/");
            long millis = (System.nanoTime() - began) / 1_000_000;
            assertEquals(lives ? 200 : 503, answer.code());
            assertTrue(lives || answer.body().contains("no sign of life"), answer.body());
            assertTrue(lives || (millis >= 600 && millis < 8_000), "took " + millis + " ms");
            assertTrue(lives ? pings.get() >= 3 : pings.get() == 1, pings + " pings");
        }
    }

    /** A client from outside that has vanished is found out, whether or not it waits for something; one that answers stays. */
    @Test
    void aSilentClientFromOutsideIsAskedForASignOfLife() throws Exception {
        int port = Edges.freePort();
        CountDownLatch gone = new CountDownLatch(1);
        try (Origin origin = Origin.start((request, out, socket) -> {
                    assertFalse(socket.getInputStream().read() >= 0);
                    gone.countDown();
                    return false;
                });
                FakeXds xds = new FakeXds()) {
            xds.set(Edges.edge(
                    Meshes.mesh().subset("", origin.port()).build(),
                    List.of(new Listener.Target.Chain(
                            port, new Listener.Target.Http("http.80", false, List.of()), ResourceRef.DEFAULT)),
                    List.of(new RouteConfiguration(
                            "http.80", List.of(new VirtualHost("all", List.of("*"), List.of(NO_RETRIES)))))));
            try (NodeProxy proxy =
                    NodeProxy.start(Edges.options().edgeHttp2(PATIENT).build(), xds)) {
                Edges.await(port);
                try (H2Frames silent = new H2Frames(port);
                        H2Frames alive = new H2Frames(port)) {
                    silent.get(1);
                    for (int i = 0; i < 5; i++) {
                        alive.pong(until(alive, H2Frames.PING));
                    }
                    assertTrue(gone.await(15, TimeUnit.SECONDS));
                    List<Integer> seen =
                            silent.until(-1).stream().map(H2Frames.Frame::type).toList();
                    assertEquals(H2Frames.PING, seen.getFirst(), seen::toString);
                    assertFalse(seen.subList(1, seen.size()).contains(H2Frames.PING), seen::toString);
                }
            }
        }
    }

    /** A rule may bound how many requests a connection carries at a time; further ones get another connection. */
    @Test
    void streamsOfAConnectionAreBounded() throws Exception {
        CountDownLatch full = new CountDownLatch(2);
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    request(frames, FIRST);
                    request(frames, SECOND);
                    full.countDown();
                    full.await();
                    frames.ok(FIRST).ok(SECOND);
                    frames.until(-1);
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .http2(new Http2Options(2, Duration.ZERO, Duration.ZERO))
                        .subset("", server.port())
                        .routes(NO_RETRIES)
                        .build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.get(1).get(3).get(5).get(7);
            for (int i = 0; i < 4; i++) {
                until(client, H2Frames.HEADERS);
            }
            assertEquals(2, server.connections.get());
            assertEquals(List.of(), server.failures);
        }
    }

    /** A connection whose last place was given back without a request is closed: nothing else would end it. */
    @Test
    void aPlaceThatWasNotUsedKeepsNoConnection() throws Exception {
        CountDownLatch closed = new CountDownLatch(1);
        try (H2Server server = new H2Server(H2Server.NOTHING, (frames, number) -> {
                    frames.until(-1);
                    closed.countDown();
                });
                ProxyFixture proxy = new ProxyFixture(Meshes.mesh()
                        .protocol(Cluster.Protocol.HTTP2)
                        .perConnection(1)
                        .subset("", server.port())
                        .routes(NO_RETRIES)
                        .build());
                H2Frames client = new H2Frames(proxy.port)) {
            client.upgrade(1, "websocket", "/");
            assertEquals("502", until(client, H2Frames.HEADERS).fields().get(":status"));
            assertTrue(closed.await(5, TimeUnit.SECONDS));
        }
    }
}
