package dev.tulle.agent.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.ports.DnsPorts;
import dev.tulle.common.Cidr;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Asks a real server over UDP and TCP, with a small resolver of the host behind it. */
class DnsServerTest {
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    @TempDir
    Path dir;

    /** A resolver of the host: knows example.org (small) and big.example.org (too large for UDP); ill.example.org fails. */
    private static final class HostResolver implements AutoCloseable {
        final ServerSocket tcp = new ServerSocket(0, 10, LOOPBACK);
        final DatagramSocket udp = new DatagramSocket(new InetSocketAddress(LOOPBACK, tcp.getLocalPort()));
        final List<String> asked = java.util.Collections.synchronizedList(new ArrayList<>());

        HostResolver() throws IOException {
            Thread.ofVirtual().start(this::serveUdp);
            Thread.ofVirtual().start(this::serveTcp);
        }

        private byte[] answer(byte[] message, boolean overTcp) throws DnsFormatException {
            DnsQuery query = DnsQuery.parse(message);
            asked.add((overTcp ? "tcp " : "udp ") + query.name());
            List<byte[]> big = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                big.add(new byte[] {10, 0, 0, (byte) i});
            }
            return switch (query.name().toString()) {
                case "example.org" ->
                    DnsMessages.answer(
                            query.id(), "example.org", query.type(), 0, 60, List.of(new byte[] {9, 9, 9, 9}));
                case "big.example.org" ->
                    overTcp
                            ? DnsMessages.answer(query.id(), "big.example.org", query.type(), 0, 60, big)
                            : DnsAnswer.truncated(query);
                case "ill.example.org" -> DnsAnswer.error(query, DnsQuery.RCODE_SERVER);
                default -> DnsAnswer.noName(query);
            };
        }

        private void serveUdp() {
            byte[] buffer = new byte[1500];
            while (!udp.isClosed()) {
                try {
                    DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
                    udp.receive(packet);
                    byte[] answer = answer(java.util.Arrays.copyOf(buffer, packet.getLength()), false);
                    udp.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
                } catch (IOException | DnsFormatException e) {
                    // Closed, or a question that no test asks.
                }
            }
        }

        private void serveTcp() {
            while (!tcp.isClosed()) {
                try (Socket socket = tcp.accept()) {
                    DataInputStream in = new DataInputStream(socket.getInputStream());
                    byte[] message = new byte[in.readUnsignedShort()];
                    in.readFully(message);
                    byte[] answer = answer(message, true);
                    socket.getOutputStream().write(new byte[] {(byte) (answer.length >> 8), (byte) answer.length});
                    socket.getOutputStream().write(answer);
                } catch (IOException | DnsFormatException e) {
                    // Closed, or a question that no test asks.
                }
            }
        }

        @Override
        public void close() throws IOException {
            udp.close();
            tcp.close();
        }
    }

    private record MapDirectory(Map<String, List<String>> services) implements DnsResolver.Directory {
        @Override
        public Asker askerAt(InetAddress source) {
            return Asker.OTHERS;
        }

        @Override
        public Optional<DnsResolver.Lookup> known(String namespace, String hostname) {
            return Optional.empty();
        }

        @Override
        public DnsResolver.Lookup addressesOf(String namespace, String hostname, Asker asker) {
            List<String> addresses = services.get(namespace + "/" + hostname);
            return addresses == null ? new DnsResolver.Lookup.Absent() : new DnsResolver.Lookup.Known(addresses);
        }

        @Override
        public Optional<String> hostnameOf(String address) {
            return services.entrySet().stream()
                    .filter(entry -> entry.getValue().contains(address))
                    .map(entry -> entry.getKey().substring(entry.getKey().indexOf('/') + 1))
                    .findFirst();
        }
    }

    @Test
    void answersFromTheMeshAndFromTheHostsResolvers() throws Exception {
        MapDirectory directory = new MapDirectory(
                Map.of("default/reviews.default.svc.cluster.local", List.of("240.242.0.7", "fd74:756c:6c66::f0f2:7")));
        try (HostResolver host = new HostResolver()) {
            Path resolvConf = Files.writeString(dir.resolve("resolv.conf"), "nameserver 127.0.0.1\n");
            DnsResolver resolver = new DnsResolver(
                    new MeshNames("cluster.local"),
                    Cidr.of("service range", "240.242.0.0/16"),
                    true,
                    directory,
                    resolvConf,
                    host.udp.getLocalPort(),
                    Clock.systemUTC());
            int port = freePort();
            try (DnsPorts ports = DnsPorts.open(List.of(LOOPBACK), port);
                    DnsServer server = DnsServer.start(ports, resolver)) {
                byte[] mesh = udp(port, DnsMessages.query(1, "reviews", DnsQuery.TYPE_A));
                assertEquals(1, DnsMessages.answers(mesh));
                assertArrayEquals(
                        new byte[] {(byte) 240, (byte) 242, 0, 7},
                        java.util.Arrays.copyOfRange(mesh, mesh.length - 4, mesh.length));
                assertEquals(1, DnsMessages.answers(udp(port, DnsMessages.query(2, "reviews", DnsQuery.TYPE_AAAA))));
                byte[] none = udp(port, DnsMessages.query(3, "nothing.default.svc.cluster.local", DnsQuery.TYPE_A));
                assertEquals(DnsQuery.RCODE_NO_NAME, DnsMessages.rcode(none));
                byte[] pointer = udp(port, DnsMessages.query(4, "7.0.242.240.in-addr.arpa", DnsQuery.TYPE_PTR));
                assertEquals(1, DnsMessages.answers(pointer));

                assertEquals(1, DnsMessages.answers(udp(port, DnsMessages.query(5, "example.org", DnsQuery.TYPE_A))));
                assertEquals(1, DnsMessages.answers(udp(port, DnsMessages.query(6, "example.org", DnsQuery.TYPE_A))));
                assertEquals(
                        1, host.asked.stream().filter("udp example.org"::equals).count());
                byte[] cut = udp(port, DnsMessages.query(7, "big.example.org", DnsQuery.TYPE_A));
                assertTrue((cut[2] & 2) != 0, "too large for UDP: the truncation flag is set");
                assertEquals(200, DnsMessages.answers(tcp(port, DnsMessages.query(8, "big.example.org", 1))));
                assertEquals(
                        DnsQuery.RCODE_SERVER,
                        DnsMessages.rcode(udp(port, DnsMessages.query(9, "ill.example.org", DnsQuery.TYPE_A))));
                assertEquals(
                        DnsQuery.RCODE_NO_NAME,
                        DnsMessages.rcode(udp(port, DnsMessages.query(10, "unknown.example.org", DnsQuery.TYPE_A))));
                byte[] broken = DnsMessages.query(11, "reviews", DnsQuery.TYPE_A);
                assertEquals(
                        DnsQuery.RCODE_FORMAT,
                        DnsMessages.rcode(udp(port, java.util.Arrays.copyOf(broken, broken.length - 2))));
                assertEquals(1, resolver.counts().malformed());
            }
        }
    }

    @Test
    void saysServerFailureWhenNoResolverAnswers() throws Exception {
        Path resolvConf = Files.writeString(dir.resolve("resolv.conf"), "nameserver 127.0.0.1\n");
        DnsResolver resolver = new DnsResolver(
                new MeshNames("cluster.local"),
                Cidr.of("service range", "240.242.0.0/16"),
                true,
                new MapDirectory(Map.of()),
                resolvConf,
                freePort(),
                Clock.systemUTC());
        Share share = resolver.shareOf(Asker.OTHERS);
        DnsQuery query = DnsQuery.parse(DnsMessages.query(1, "example.org", DnsQuery.TYPE_A));
        byte[] answer = resolver.finish(query, Asker.OTHERS, share, false);
        assertEquals(DnsQuery.RCODE_SERVER, DnsMessages.rcode(answer));
        byte[] noQuestion = DnsMessages.answer(1, "a", DnsQuery.TYPE_A, 0, 1, List.of());
        assertEquals(new DnsResolver.Step.Silent(), resolver.begin(noQuestion, Asker.OTHERS, share, false));
    }

    /** One server after the other on the same sockets, with a pause between them, as agents follow each other. */
    @Test
    void noQuestionIsLostFromOneServerToTheNext() throws Exception {
        MapDirectory directory =
                new MapDirectory(Map.of("default/reviews.default.svc.cluster.local", List.of("240.242.0.7")));
        Path resolvConf = Files.writeString(dir.resolve("resolv.conf"), "");
        int port = freePort();
        AtomicInteger answered = new AtomicInteger();
        List<String> lost = java.util.Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean over = new AtomicBoolean();
        List<Thread> askers = new ArrayList<>();
        try (DnsPorts ports = DnsPorts.open(List.of(LOOPBACK), port)) {
            for (int i = 0; i < 8; i++) {
                boolean overTcp = i % 2 == 1;
                askers.add(Thread.ofVirtual().start(() -> {
                    byte[] question = DnsMessages.query(1, "reviews", DnsQuery.TYPE_A);
                    while (!over.get()) {
                        try {
                            byte[] answer = overTcp ? tcp(port, question) : udp(port, question);
                            assertEquals(1, DnsMessages.answers(answer));
                            answered.incrementAndGet();
                            // All together below the share of one asker: what is over it is refused.
                            LockSupport.parkNanos(5_000_000);
                        } catch (IOException | AssertionError e) {
                            lost.add((overTcp ? "TCP: " : "UDP: ") + e);
                        }
                    }
                }));
            }
            for (int round = 0; round < 20; round++) {
                int before = answered.get();
                DnsResolver resolver = new DnsResolver(
                        new MeshNames("cluster.local"),
                        Cidr.of("service range", "240.242.0.0/16"),
                        false,
                        directory,
                        resolvConf,
                        53,
                        Clock.systemUTC());
                try (DnsServer _ = DnsServer.start(ports, resolver)) {
                    while (answered.get() < before + 100) {
                        Thread.sleep(1);
                    }
                    if (round == 19) {
                        over.set(true);
                        for (Thread asker : askers) {
                            asker.join();
                        }
                    }
                }
                Thread.sleep(20);
            }
        }
        assertEquals(List.of(), lost, "of " + answered);
    }

    private static int freePort() throws IOException {
        // Of TCP: a connection that ended a minute ago still has a port that is free for UDP.
        try (ServerSocket socket = new ServerSocket(0, 1, LOOPBACK)) {
            return socket.getLocalPort();
        }
    }

    private static byte[] udp(int port, byte[] message) throws IOException {
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(8000);
            socket.send(new DatagramPacket(message, message.length, LOOPBACK, port));
            DatagramPacket packet = new DatagramPacket(new byte[4096], 4096);
            socket.receive(packet);
            return java.util.Arrays.copyOf(packet.getData(), packet.getLength());
        }
    }

    private static byte[] tcp(int port, byte[] message) throws IOException {
        try (Socket socket = new Socket(LOOPBACK, port)) {
            socket.setSoTimeout(8000);
            socket.getOutputStream().write(new byte[] {0, (byte) message.length});
            socket.getOutputStream().write(message);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] answer = new byte[in.readUnsignedShort()];
            in.readFully(answer);
            return answer;
        }
    }
}
