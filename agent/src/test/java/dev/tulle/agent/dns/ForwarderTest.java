package dev.tulle.agent.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is passed on to the host's resolvers, and which of their answers are believed. */
class ForwarderTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    @TempDir
    Path dir;

    /** A resolver of the host that answers as it is told to. */
    private static final class Upstream implements AutoCloseable {
        final DatagramSocket socket = new DatagramSocket(new InetSocketAddress(LOOPBACK, 0));
        final List<Integer> numbers = Collections.synchronizedList(new ArrayList<>());
        final List<SocketAddress> sources = Collections.synchronizedList(new ArrayList<>());

        interface Answers {
            List<byte[]> to(DnsQuery query) throws InterruptedException;
        }

        Upstream(Answers answers) throws IOException {
            Thread.ofVirtual().start(() -> {
                byte[] buffer = new byte[1500];
                while (!socket.isClosed()) {
                    try {
                        DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
                        socket.receive(packet);
                        DnsQuery query = DnsQuery.parse(Arrays.copyOf(buffer, packet.getLength()));
                        numbers.add(query.id());
                        sources.add(packet.getSocketAddress());
                        for (byte[] answer : answers.to(query)) {
                            socket.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
                        }
                    } catch (IOException | DnsFormatException e) {
                        // Closed.
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }
            });
        }

        @Override
        public void close() {
            socket.close();
        }
    }

    private Forwarder forwarder(Upstream upstream) throws IOException {
        Path resolvConf = Files.writeString(dir.resolve("resolv.conf"), "nameserver 127.0.0.1\n");
        return new Forwarder(resolvConf, upstream.socket.getLocalPort());
    }

    private static byte[] answer(DnsQuery query, int id, String name, int lastByte) {
        return DnsMessages.answer(id, name, query.type(), 0, 60, List.of(new byte[] {9, 9, 9, (byte) lastByte}));
    }

    @Test
    void believesOnlyTheAnswerToItsOwnQuestion() throws Exception {
        try (Upstream upstream = new Upstream(query -> {
            byte[] noAnswer = answer(query, query.id(), "example.org", 1);
            noAnswer[2] &= 0x7f;
            return List.of(
                    new byte[] {1, 2, 3},
                    noAnswer,
                    answer(query, query.id() ^ 1, "example.org", 2),
                    answer(query, query.id(), "example.net", 3),
                    answer(query, query.id(), "Example.ORG", 7));
        })) {
            Forwarder forwarder = forwarder(upstream);
            DnsQuery query = DnsQuery.parse(DnsMessages.query(1, "example.org", DnsQuery.TYPE_A));
            for (int i = 0; i < 20; i++) {
                byte[] message = forwarder
                        .ask(query, new Share("shop/one", 0))
                        .orElseThrow()
                        .message()
                        .raw();
                assertEquals(7, message[message.length - 1]);
            }
            assertTrue(upstream.numbers.stream().distinct().count() > 15, "numbers: " + upstream.numbers);
            assertTrue(upstream.sources.stream().distinct().count() > 15, "ports: " + upstream.sources);
            assertNotEquals(Collections.nCopies(20, 1), upstream.numbers);
        }
    }

    @Test
    void theSameQuestionOfManyIsAskedOnce() throws Exception {
        CountDownLatch all = new CountDownLatch(1);
        try (Upstream upstream = new Upstream(query -> {
            all.await(2, TimeUnit.SECONDS);
            return List.of(answer(query, query.id(), "example.org", 7));
        })) {
            Forwarder forwarder = forwarder(upstream);
            DnsQuery query = DnsQuery.parse(DnsMessages.query(1, "example.org", DnsQuery.TYPE_A));
            List<Optional<Forwarder.Forwarded>> answers = Collections.synchronizedList(new ArrayList<>());
            List<Thread> askers = new ArrayList<>();
            for (int i = 0; i < 30; i++) {
                Share share = new Share("shop/w" + i, 0);
                askers.add(Thread.ofVirtual().start(() -> answers.add(forwarder.ask(query, share))));
            }
            Thread.sleep(300);
            all.countDown();
            for (Thread asker : askers) {
                assertTrue(asker.join(java.time.Duration.ofSeconds(8)));
            }
            assertEquals(30, answers.stream().filter(Optional::isPresent).count());
            assertEquals(1, upstream.numbers.size());
        }
    }

    @Test
    void silenceAndGuessesEndInTime() throws Exception {
        try (Upstream upstream = new Upstream(query -> {
            List<byte[]> guesses = new ArrayList<>();
            for (int i = 1; i < 200; i++) {
                guesses.add(answer(query, query.id() ^ i, "example.org", 2));
            }
            return query.name().toString().equals("example.org") ? guesses : List.of();
        })) {
            Forwarder forwarder = forwarder(upstream);
            for (String name : List.of("example.org", "silent.example.org")) {
                long begun = System.nanoTime();
                DnsQuery query = DnsQuery.parse(DnsMessages.query(1, name, DnsQuery.TYPE_A));
                assertEquals(Optional.empty(), forwarder.ask(query, new Share("shop/one", 0)));
                long millis = (System.nanoTime() - begun) / 1_000_000;
                assertTrue(millis < Forwarder.ALL_TIMEOUT.toMillis() + 1_000, name + ": " + millis + " ms");
            }
        }
    }
}
