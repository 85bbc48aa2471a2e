package dev.tulle.agent.dns;

import dev.tulle.agent.host.ResolverConfig;
import java.io.DataInputStream;
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
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;

/**
 * Asks the host's resolvers: each in turn, twice, over UDP with a fresh random port and number each time, then over TCP
 * where the answer was cut. Those who ask the same at the same time share one question, so that nobody can have a
 * name asked for a hundred times at once and guess at the answer. Blocks the calling (virtual) thread; thread-safe.
 */
final class Forwarder {
    /** How long one resolver has for one try. */
    static final Duration TRY_TIMEOUT = Duration.ofMillis(1500);

    /** How long all tries may take together: what a C library waits for, so that a later answer is for nobody. */
    static final Duration ALL_TIMEOUT = Duration.ofSeconds(5);

    /** Answers fetched over TCP at once, which may have 64 KiB each. */
    private static final int TCP_MAX = 32;

    /** The largest answer over UDP, in bytes; less is asked for. */
    private static final int UDP_MAX = 4_096;

    /** Datagrams that are no answer to the question, read for one try: beyond, somebody is guessing. */
    private static final int FORGED_MAX = 64;

    private static final int ROUNDS = 2;
    private static final long RELOAD_NANOS = Duration.ofSeconds(1).toNanos();
    private static final System.Logger LOG = System.getLogger(Forwarder.class.getName());

    private final Path resolverFile;
    private final int port;
    private final SecureRandom random = new SecureRandom();
    private final FairSlots<Share> tcpSlots = new FairSlots<>(TCP_MAX, 1);
    private final Map<DnsQuery.Key, CompletableFuture<Optional<Forwarded>>> underWay = new ConcurrentHashMap<>();
    private final LongAdder forwarded = new LongAdder();
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
        if (System.nanoTime() - loaded.readNanos <= RELOAD_NANOS && loaded.readNanos != 0) {
            return;
        }
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

    /**
     * Asks the host's resolvers; empty when none gave a usable answer in time. The answer has some number and somebody's
     * spelling of the question.
     */
    Optional<Forwarded> ask(DnsQuery query, Share share) {
        CompletableFuture<Optional<Forwarded>> mine = new CompletableFuture<>();
        CompletableFuture<Optional<Forwarded>> first = underWay.putIfAbsent(query.key(), mine);
        Optional<Forwarded> answer = Optional.empty();
        if (first != null) {
            answer = await(first);
        } else {
            try {
                answer = askAll(query, share);
            } finally {
                underWay.remove(query.key(), mine);
                mine.complete(answer);
            }
        }
        if (answer.isPresent()) {
            forwarded.increment();
        }
        return answer;
    }

    private static Optional<Forwarded> await(CompletableFuture<Optional<Forwarded>> first) {
        try {
            return first.get(ALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        } catch (ExecutionException | TimeoutException e) {
            return Optional.empty();
        }
    }

    private Optional<Forwarded> askAll(DnsQuery query, Share share) {
        long end = System.nanoTime() + ALL_TIMEOUT.toNanos();
        Forwarded last = null;
        for (int round = 0; round < ROUNDS; round++) {
            for (String server : config().nameservers()) {
                long left = Math.min(TRY_TIMEOUT.toNanos(), end - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return Optional.ofNullable(last);
                }
                Optional<Forwarded> answer =
                        askOne(new InetSocketAddress(server, port), query, share, Math.toIntExact(left));
                if (answer.isEmpty()) {
                    continue;
                }
                // A resolver that is ill itself says so with these; another one may do better.
                int rcode = answer.get().answer().rcode();
                if (rcode == DnsQuery.RCODE_OK || rcode == DnsQuery.RCODE_NO_NAME) {
                    return answer;
                }
                last = answer.get();
            }
            if (last != null) {
                return Optional.of(last);
            }
        }
        return Optional.empty();
    }

    /** Questions that got an answer. */
    long forwarded() {
        return forwarded.sum();
    }

    private Optional<Forwarded> askOne(InetSocketAddress server, DnsQuery query, Share share, int millis) {
        try {
            int id = random.nextInt(1 << 16);
            byte[] question = query.forwarded(id);
            Optional<Forwarded> answer = overUdp(server, question, query, id, millis);
            if (answer.isEmpty() || !answer.get().answer().truncated()) {
                return answer;
            }
            if (!tcpSlots.take(share)) {
                return Optional.empty();
            }
            try {
                return overTcp(server, question, query, id, millis);
            } finally {
                tcpSlots.give(share);
            }
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, server + ": " + e);
            return Optional.empty();
        }
    }

    private static Optional<Forwarded> overUdp(
            InetSocketAddress server, byte[] question, DnsQuery query, int id, int millis) throws IOException {
        try (DatagramSocket socket = new DatagramSocket(null)) {
            socket.bind(null);
            // Connected: the kernel drops what comes from elsewhere and reports refusals at once.
            socket.connect(server);
            socket.send(new DatagramPacket(question, question.length));
            long deadline = System.nanoTime() + millis * 1_000_000L;
            byte[] buffer = new byte[UDP_MAX];
            for (int forged = 0; forged < FORGED_MAX; forged++) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return Optional.empty();
                }
                socket.setSoTimeout((int) left);
                DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
                socket.receive(packet);
                byte[] answer = Arrays.copyOf(buffer, packet.getLength());
                try {
                    return Optional.of(
                            new Forwarded(new DnsQuery.Bytes(answer), UpstreamAnswer.parse(answer, query, id)));
                } catch (DnsFormatException e) {
                    // A forged or late answer: the right one may still come.
                    LOG.log(System.Logger.Level.DEBUG, server + ": " + e.getMessage());
                }
            }
            return Optional.empty();
        } catch (SocketTimeoutException e) {
            return Optional.empty();
        }
    }

    private static Optional<Forwarded> overTcp(
            InetSocketAddress server, byte[] question, DnsQuery query, int id, int millis) throws IOException {
        long deadline = System.nanoTime() + millis * 1_000_000L;
        try (Socket socket = new Socket()) {
            socket.connect(server, millis);
            byte[] framed = new byte[question.length + 2];
            framed[0] = (byte) (question.length >>> 8);
            framed[1] = (byte) question.length;
            System.arraycopy(question, 0, framed, 2, question.length);
            socket.getOutputStream().write(framed);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            socket.setSoTimeout(millis);
            byte[] answer = new byte[in.readUnsignedShort()];
            for (int read = 0; read < answer.length; ) {
                // One limit for the whole answer: a resolver that sends a byte a second is as silent as none.
                socket.setSoTimeout((int) Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
                int more = in.read(answer, read, answer.length - read);
                if (more < 0 || System.nanoTime() > deadline) {
                    return Optional.empty();
                }
                read += more;
            }
            return Optional.of(new Forwarded(new DnsQuery.Bytes(answer), UpstreamAnswer.parse(answer, query, id)));
        } catch (DnsFormatException e) {
            return Optional.empty();
        }
    }
}
