package dev.tulle.agent.dns;

import dev.tulle.agent.host.ResolverConfig;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Asks the host's resolvers: each in turn, twice, over UDP with a fresh random port and number each time, then over TCP
 * where the answer was cut. Blocks the calling (virtual) thread; thread-safe.
 */
final class Forwarder {
    /** Questions on their way at once; further ones fail at once rather than queue. */
    static final int CONCURRENT_MAX = 512;

    /** How long one resolver has for one try. */
    static final Duration TRY_TIMEOUT = Duration.ofMillis(1500);

    private static final int ROUNDS = 2;
    private static final long RELOAD_NANOS = Duration.ofSeconds(1).toNanos();
    private static final System.Logger LOG = System.getLogger(Forwarder.class.getName());

    private final Path resolverFile;
    private final int port;
    private final SecureRandom random = new SecureRandom();
    private final Semaphore slots = new Semaphore(CONCURRENT_MAX);
    private final AtomicLong forwarded = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private volatile Loaded loaded = new Loaded(ResolverConfig.parse(""), "", 0);

    private record Loaded(ResolverConfig config, String text, long readNanos) {}

    /**
     * For a resolver configuration, read again when it changes.
     *
     * @param port of the resolvers: 53 but in tests
     */
    Forwarder(Path resolverFile, int port) {
        this.resolverFile = resolverFile;
        this.port = port;
        reload();
    }

    /** The host's resolver configuration as of at most a second ago. */
    ResolverConfig config() {
        if (System.nanoTime() - loaded.readNanos > RELOAD_NANOS) {
            reload();
        }
        return loaded.config;
    }

    private synchronized void reload() {
        try {
            String text = Files.exists(resolverFile) ? Files.readString(resolverFile) : "";
            ResolverConfig config =
                    text.equals(loaded.text) && loaded.readNanos != 0 ? loaded.config : ResolverConfig.parse(text);
            loaded = new Loaded(config, text, System.nanoTime());
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, resolverFile + ": " + e.getMessage());
            loaded = new Loaded(loaded.config, loaded.text, System.nanoTime());
        }
    }

    /** An answer and what was found in it. */
    record Forwarded(DnsQuery.Bytes message, UpstreamAnswer answer) {}

    /** Asks the host's resolvers; empty when none gave a usable answer in time. */
    Optional<Forwarded> ask(byte[] message, DnsQuery query) {
        if (!slots.tryAcquire()) {
            failed.incrementAndGet();
            return Optional.empty();
        }
        try {
            Forwarded last = null;
            for (int round = 0; round < ROUNDS; round++) {
                for (String server : config().nameservers()) {
                    Optional<Forwarded> answer = askOne(new InetSocketAddress(server, port), message, query);
                    if (answer.isEmpty()) {
                        continue;
                    }
                    // A resolver that is ill itself says so with these; another one may do better.
                    int rcode = answer.get().answer().rcode();
                    if (rcode == DnsQuery.RCODE_OK || rcode == DnsQuery.RCODE_NO_NAME) {
                        forwarded.incrementAndGet();
                        return answer;
                    }
                    last = answer.get();
                }
                if (last != null) {
                    forwarded.incrementAndGet();
                    return Optional.of(last);
                }
            }
            failed.incrementAndGet();
            return Optional.empty();
        } finally {
            slots.release();
        }
    }

    /** Questions that got an answer, and those that did not. */
    long[] counts() {
        return new long[] {forwarded.get(), failed.get()};
    }

    private Optional<Forwarded> askOne(InetSocketAddress server, byte[] message, DnsQuery query) {
        try {
            int id = random.nextInt(1 << 16);
            byte[] question = message.clone();
            question[0] = (byte) (id >>> 8);
            question[1] = (byte) id;
            Optional<Forwarded> answer = overUdp(server, question, query, id);
            return answer.isPresent() && answer.get().answer().truncated()
                    ? overTcp(server, question, query, id)
                    : answer;
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, server + ": " + e);
            return Optional.empty();
        }
    }

    private static Optional<Forwarded> overUdp(InetSocketAddress server, byte[] question, DnsQuery query, int id)
            throws IOException {
        try (DatagramSocket socket = new DatagramSocket(null)) {
            socket.bind(null);
            // Connected: the kernel drops what comes from elsewhere and reports refusals at once.
            socket.connect(server);
            socket.send(new DatagramPacket(question, question.length));
            long deadline = System.nanoTime() + TRY_TIMEOUT.toNanos();
            byte[] buffer = new byte[65_535];
            while (true) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return Optional.empty();
                }
                socket.setSoTimeout((int) left);
                DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
                socket.receive(packet);
                byte[] answer = java.util.Arrays.copyOf(buffer, packet.getLength());
                try {
                    return Optional.of(
                            new Forwarded(new DnsQuery.Bytes(answer), UpstreamAnswer.parse(answer, query, id)));
                } catch (DnsFormatException e) {
                    // A forged or late answer: the right one may still come.
                    LOG.log(System.Logger.Level.DEBUG, server + ": " + e.getMessage());
                }
            }
        } catch (SocketTimeoutException e) {
            return Optional.empty();
        }
    }

    private static Optional<Forwarded> overTcp(InetSocketAddress server, byte[] question, DnsQuery query, int id)
            throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(server, (int) TRY_TIMEOUT.toMillis());
            socket.setSoTimeout((int) TRY_TIMEOUT.toMillis());
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            byte[] framed = new byte[question.length + 2];
            framed[0] = (byte) (question.length >>> 8);
            framed[1] = (byte) question.length;
            System.arraycopy(question, 0, framed, 2, question.length);
            out.write(framed);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] answer = new byte[in.readUnsignedShort()];
            in.readFully(answer);
            return Optional.of(new Forwarded(new DnsQuery.Bytes(answer), UpstreamAnswer.parse(answer, query, id)));
        } catch (DnsFormatException e) {
            return Optional.empty();
        }
    }
}
