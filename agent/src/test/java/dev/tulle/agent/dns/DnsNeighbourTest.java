package dev.tulle.agent.dns;

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
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One workload exhausts what it can of DNS while its neighbour looks names up: over real sockets, each workload by an
 * address of its own.
 */
class DnsNeighbourTest {
    private static final InetAddress SERVER = InetAddress.ofLiteral("127.0.0.1");
    private static final InetAddress FLOOD = InetAddress.ofLiteral("127.0.0.2");
    private static final InetAddress QUIET = InetAddress.ofLiteral("127.0.0.3");
    private static final int LOOKUPS = 400;

    @TempDir
    Path dir;

    /** A mesh with one service, which remembers what was asked for, as the agent does; others take it a millisecond. */
    private static final class Mesh implements DnsResolver.Directory {
        final AtomicInteger asked = new AtomicInteger();
        private final Map<String, DnsResolver.Lookup> known = new ConcurrentHashMap<>();

        @Override
        public Asker askerAt(InetAddress source) {
            return source.equals(FLOOD)
                    ? new Asker("shop/flood", "shop")
                    : source.equals(QUIET) ? new Asker("shop/quiet", "shop") : Asker.OTHERS;
        }

        @Override
        public Optional<DnsResolver.Lookup> known(String namespace, String hostname) {
            return Optional.ofNullable(known.get(namespace + "/" + hostname));
        }

        @Override
        public DnsResolver.Lookup addressesOf(String namespace, String hostname, Asker asker) {
            asked.incrementAndGet();
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            DnsResolver.Lookup found = hostname.equals("reviews.shop.svc.cluster.local")
                    ? new DnsResolver.Lookup.Known(List.of("240.242.0.7"))
                    : new DnsResolver.Lookup.Absent();
            known.put(namespace + "/" + hostname, found);
            return found;
        }

        @Override
        public Optional<String> hostnameOf(String address) {
            return Optional.empty();
        }
    }

    /** What the flood sends, one datagram after the other. */
    private interface Question {
        byte[] of(int number);
    }

    private record Measured(long p50Micros, long p99Micros, int failed) {}

    @Test
    void aFloodOfQuestionsIsTheFloodsConcern() throws Exception {
        Mesh mesh = new Mesh();
        // Nobody answers at the host's resolvers: questions passed on are on their way as long as they may be.
        try (DatagramSocket silent = new DatagramSocket(new InetSocketAddress(SERVER, 0))) {
            DnsResolver resolver = resolver(mesh, silent.getLocalPort());
            int port = freePort();
            try (DnsPorts ports = DnsPorts.open(List.of(SERVER), port);
                    DnsServer server = DnsServer.start(ports, resolver)) {
                lookups(port, LOOKUPS);
                Measured quiet = lookups(port, LOOKUPS);
                report("quiet", quiet);
                Map<String, Question> floods = Map.of(
                        "known names", number -> DnsMessages.query(number & 0xffff, "reviews", DnsQuery.TYPE_A),
                        "names of the mesh that do not exist",
                                number -> DnsMessages.query(
                                        number & 0xffff, "n" + number + ".shop.svc.cluster.local", DnsQuery.TYPE_A),
                        "names of silent resolvers",
                                number -> DnsMessages.query(
                                        number & 0xffff, "n" + number + ".example.org", DnsQuery.TYPE_A),
                        "garbage", number -> new byte[] {(byte) number, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
                for (Map.Entry<String, Question> flood : floods.entrySet()) {
                    Measured beside = beside(port, flood.getValue());
                    report(flood.getKey(), beside);
                    assertEquals(0, beside.failed, "look-ups that failed beside a flood of " + flood.getKey());
                    // The bar is twice; a host that runs other tests beside this one adds its own.
                    assertTrue(
                            beside.p50Micros < 3 * quiet.p50Micros + 1_000,
                            flood.getKey() + ": " + beside + " against " + quiet);
                }
                DnsResolver.AskerCounts flood = counts(resolver, "shop/flood");
                assertTrue(flood.refused() > 0, "the flood is refused: " + flood);
                assertTrue(flood.secondsSinceOver() < 60, "and named: " + flood);
                DnsResolver.AskerCounts good = counts(resolver, "shop/quiet");
                assertEquals(0, good.refused() + good.dropped(), "the neighbour is not: " + good);
                assertTrue(
                        mesh.asked.get() < 2 * (Share.NEW_NAMES_BURST + 20 * Share.NEW_NAMES_PER_SECOND),
                        "the control plane is asked for so many names: " + mesh.asked);
            }
        }
    }

    @Test
    void connectionsOfOneAreNotTheOthers() throws Exception {
        DnsResolver resolver = resolver(new Mesh(), freePort());
        int port = freePort();
        List<Socket> held = new ArrayList<>();
        try (DnsPorts ports = DnsPorts.open(List.of(SERVER), port);
                DnsServer server = DnsServer.start(ports, resolver)) {
            for (int i = 0; i < 3 * DnsConnections.CONNECTIONS_MAX; i++) {
                halfAQuestion(port).ifPresent(held::add);
            }
            for (int i = 0; i < 4; i++) {
                Socket socket = from(QUIET, port);
                held.add(socket);
                byte[] message = DnsMessages.query(i, "reviews", DnsQuery.TYPE_A);
                // Two questions at once, the second in two pieces: answered in turn.
                byte[] framed = new byte[2 * (message.length + 2)];
                for (int at : new int[] {0, message.length + 2}) {
                    framed[at + 1] = (byte) message.length;
                    System.arraycopy(message, 0, framed, at + 2, message.length);
                }
                socket.getOutputStream().write(framed, 0, message.length + 5);
                DataInputStream in = new DataInputStream(socket.getInputStream());
                assertEquals(1, DnsMessages.answers(read(in)));
                socket.getOutputStream().write(framed, message.length + 5, framed.length - message.length - 5);
                assertEquals(1, DnsMessages.answers(read(in)));
            }
            assertTrue(counts(resolver, "shop/flood").refused() > 0, "connections over the share are refused");
            // A step that takes too long ends its connection.
            Socket half = held.getFirst();
            half.setSoTimeout(DnsConnections.MESSAGE_MILLIS + 3_000);
            long begun = System.nanoTime();
            assertTrue(ended(half));
            assertTrue(System.nanoTime() - begun < (DnsConnections.MESSAGE_MILLIS + 2_000) * 1_000_000L);
        } finally {
            for (Socket socket : held) {
                socket.close();
            }
        }
    }

    /** A connection of the flood with half a question, and never the rest; empty when it is one too many. */
    private static Optional<Socket> halfAQuestion(int port) {
        try {
            Socket socket = from(FLOOD, port);
            socket.getOutputStream().write(new byte[] {0, 40, 1, 2, 3});
            return Optional.of(socket);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static boolean ended(Socket socket) throws IOException {
        try {
            return socket.getInputStream().read() < 0;
        } catch (SocketTimeoutException e) {
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    private static byte[] read(DataInputStream in) throws IOException {
        byte[] answer = new byte[in.readUnsignedShort()];
        in.readFully(answer);
        return answer;
    }

    private static Socket from(InetAddress source, int port) throws IOException {
        Socket socket = new Socket();
        socket.bind(new InetSocketAddress(source, 0));
        socket.connect(new InetSocketAddress(SERVER, port), 2_000);
        socket.setSoTimeout(8_000);
        return socket;
    }

    private DnsResolver resolver(Mesh mesh, int upstreamPort) throws IOException {
        Path resolvConf = Files.writeString(dir.resolve("resolv.conf"), "nameserver 127.0.0.1\n");
        return new DnsResolver(
                new MeshNames("cluster.local"),
                Cidr.of("service range", "240.242.0.0/16"),
                true,
                mesh,
                resolvConf,
                upstreamPort,
                Clock.systemUTC());
    }

    private static DnsResolver.AskerCounts counts(DnsResolver resolver, String asker) {
        return resolver.counts().askers().stream()
                .filter(one -> one.asker().equals(asker))
                .findFirst()
                .orElseThrow();
    }

    private static void report(String what, Measured measured) {
        System.out.printf(
                "dns neighbour: %s: p50 %d us, p99 %d us, %d failed%n",
                what, measured.p50Micros, measured.p99Micros, measured.failed);
    }

    /** The neighbour's look-ups while a workload sends ten times its share. */
    private static Measured beside(int port, Question question) throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger sent = new AtomicInteger();
        Thread flood = Thread.ofPlatform().start(() -> {
            try (DatagramSocket socket = new DatagramSocket(new InetSocketAddress(FLOOD, 0))) {
                long begun = System.nanoTime();
                while (!over.get()) {
                    long due = (System.nanoTime() - begun) * 10 * Share.QUESTIONS_PER_SECOND / 1_000_000_000;
                    while (sent.get() < due && !over.get()) {
                        byte[] message = question.of(sent.getAndIncrement());
                        socket.send(new DatagramPacket(message, message.length, SERVER, port));
                    }
                    Thread.sleep(1);
                }
            } catch (IOException | InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        try {
            Thread.sleep(300);
            return lookups(port, LOOKUPS);
        } finally {
            over.set(true);
            flood.join(5_000);
        }
    }

    private static Measured lookups(int port, int count) throws IOException {
        long[] micros = new long[count];
        int failed = 0;
        for (int i = 0; i < count; i++) {
            long begun = System.nanoTime();
            try (DatagramSocket socket = new DatagramSocket(new InetSocketAddress(QUIET, 0))) {
                socket.setSoTimeout(2_000);
                byte[] message = DnsMessages.query(i, "reviews", DnsQuery.TYPE_A);
                socket.send(new DatagramPacket(message, message.length, SERVER, port));
                DatagramPacket packet = new DatagramPacket(new byte[512], 512);
                socket.receive(packet);
                failed += DnsMessages.answers(packet.getData()) == 1 ? 0 : 1;
            } catch (SocketTimeoutException e) {
                failed++;
            }
            micros[i] = (System.nanoTime() - begun) / 1_000;
        }
        Arrays.sort(micros);
        return new Measured(micros[count / 2], micros[count * 99 / 100], failed);
    }

    private static int freePort() throws IOException {
        // Of TCP: a connection that ended a minute ago still has a port that is free for UDP.
        try (ServerSocket socket = new ServerSocket(0, 1, SERVER)) {
            return socket.getLocalPort();
        }
    }
}
