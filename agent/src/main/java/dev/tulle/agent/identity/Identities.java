package dev.tulle.agent.identity;

import dev.tulle.common.Backoff;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.VisibleText;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * One key and certificate for each identity that lives on this node, in memory alone: asked for when the first workload
 * with it begins, renewed at half of its time, kept until its end while no other can be had, forgotten with the last
 * workload. Thread-safe; an owner thread has the state, a few virtual threads ask.
 */
public final class Identities implements AutoCloseable {
    /** Requests under way at once: an authority on one core signs some hundred a second, and others wait there too. */
    static final int AT_ONCE = 4;

    /** How long those who ask for an identity's first certificate wait for it before they are told that there is none. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    /** How often is looked what is due: the wall clock may be set, and does not run while the host sleeps. */
    static final Duration LOOK = Duration.ofSeconds(1);

    private static final Duration FIRST_WAIT = Duration.ofMillis(200);
    private static final Duration LONGEST_WAIT = Duration.ofSeconds(15);
    private static final int MAX_TROUBLE = 500;

    /** Failures in a row that are no news: a workload that has just begun is not known to the authority at once. */
    private static final int UNLOGGED = 3;

    private static final System.Logger LOG = System.getLogger(Identities.class.getName());

    /**
     * What there is at one moment. Immutable.
     *
     * @param certificates those that hold, by identity
     * @param awaited identities without one that are expected to have it in a moment
     * @param troubles why the last request for an identity failed, as far as it did
     * @param roots whom to trust
     */
    public record Snapshot(
            Map<SpiffeId, TlsIdentity> certificates,
            Set<SpiffeId> awaited,
            Map<SpiffeId, String> troubles,
            List<X509Certificate> roots) {
        /** Before anybody lives here. */
        public static final Snapshot EMPTY = new Snapshot(Map.of(), Set.of(), Map.of(), List.of());

        public Snapshot {
            certificates = Map.copyOf(certificates);
            awaited = Set.copyOf(awaited);
            troubles = Map.copyOf(troubles);
            roots = List.copyOf(roots);
        }
    }

    private final CertificateSource source;
    private final Clock clock;
    private final LongSupplier nanos;
    private final RandomGenerator random;
    private final Consumer<Snapshot> listener;
    private final OwnerThread owner = new OwnerThread("identities");
    private final Map<SpiffeId, Entry> entries = new LinkedHashMap<>();
    private int underWay;
    private Snapshot last = Snapshot.EMPTY;

    /** Roots by the identity whose certificate they came with: those of all that hold are trusted. */
    private final Map<SpiffeId, List<X509Certificate>> roots = new HashMap<>();

    private Optional<List<X509Certificate>> announcedRoots = Optional.empty();

    /** One identity that lives here. Owner thread only. */
    private static final class Entry {
        final long since;
        final Backoff backoff;
        Optional<HeldCertificate> held = Optional.empty();
        boolean asking;
        /** When it may be asked for again, by the monotonic clock. */
        long next;

        String trouble = "";
        int failures;

        Entry(long since, RandomGenerator random) {
            this.since = since;
            this.next = since;
            this.backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, random);
        }
    }

    Identities(
            CertificateSource source,
            Clock clock,
            LongSupplier nanos,
            RandomGenerator random,
            Consumer<Snapshot> listener) {
        this.source = source;
        this.clock = clock;
        this.nanos = nanos;
        this.random = random;
        this.listener = listener;
    }

    /**
     * Starts with nobody.
     *
     * @param clock the wall clock
     * @param listener told what there is now, whenever that changes, one call at a time; must not block
     */
    static Identities start(
            CertificateSource source, Clock clock, RandomGenerator random, Consumer<Snapshot> listener) {
        Identities made = new Identities(source, clock, System::nanoTime, random, listener);
        made.owner.offerLater(LOOK, made::lookAgain);
        return made;
    }

    /** Says who lives on this node now. */
    public void living(Set<SpiffeId> identities) {
        Set<SpiffeId> now = Set.copyOf(identities);
        owner.offer(() -> {
            entries.keySet().retainAll(now);
            roots.keySet().retainAll(now);
            now.stream().sorted(Comparator.comparing(SpiffeId::toString)).forEach(identity -> {
                entries.computeIfAbsent(identity, _ -> new Entry(nanos.getAsLong(), random));
            });
            look();
        });
    }

    /** From now on these are trusted, whatever comes with certificates. */
    public void trust(List<X509Certificate> announced) {
        List<X509Certificate> now = List.copyOf(announced);
        owner.offer(() -> {
            announcedRoots = Optional.of(now);
            tell();
        });
    }

    private void lookAgain() {
        look();
        owner.offerLater(LOOK, this::lookAgain);
    }

    /** Drops what has ended, asks for what is due, tells of what changed. */
    void look() {
        owner.check();
        Instant now = clock.instant();
        long time = nanos.getAsLong();
        for (Map.Entry<SpiffeId, Entry> each : entries.entrySet()) {
            Entry entry = each.getValue();
            if (entry.held.isPresent() && entry.held.get().hasEnded(now)) {
                if (!entry.trouble.isEmpty()) {
                    LOG.log(
                            System.Logger.Level.WARNING,
                            "the certificate of " + each.getKey() + " has ended and there is no other one: "
                                    + entry.trouble);
                }
                entry.held = Optional.empty();
            }
            boolean due = entry.held.isEmpty() || entry.held.get().isDue(now);
            if (due && !entry.asking && time - entry.next >= 0 && underWay < AT_ONCE) {
                ask(each.getKey(), entry);
            }
        }
        tell();
    }

    private void ask(SpiffeId identity, Entry entry) {
        entry.asking = true;
        underWay++;
        Thread.ofVirtual().name("certificate " + identity).start(() -> {
            Answer answer = answer(identity);
            owner.offer(() -> take(identity, entry, answer));
        });
    }

    /** What came of a request: a certificate and the roots that came with it, or why none. */
    private record Answer(Optional<HeldCertificate> held, List<X509Certificate> roots, String trouble) {
        /** Without the key. */
        @Override
        public String toString() {
            return held + trouble;
        }
    }

    private Answer answer(SpiffeId identity) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            KeyPair keys = generator.generateKeyPair();
            CertificateSource.Issued issued = source.request(identity, keys);
            HeldCertificate held = HeldCertificate.of(identity, keys, issued, clock.instant(), random);
            return new Answer(Optional.of(held), issued.roots(), "");
        } catch (IOException | CertificateException e) {
            return failed(String.valueOf(e.getMessage()));
        } catch (GeneralSecurityException | RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "the certificate of " + identity, e);
            return failed(e.toString());
        }
    }

    private static Answer failed(String why) {
        return new Answer(Optional.empty(), List.of(), VisibleText.line(why, MAX_TROUBLE));
    }

    private void take(SpiffeId identity, Entry entry, Answer answer) {
        underWay--;
        entry.asking = false;
        if (entries.get(identity) == entry) {
            if (answer.held().isPresent()) {
                entry.held = answer.held();
                entry.trouble = "";
                entry.failures = 0;
                entry.backoff.reset();
                entry.next = nanos.getAsLong();
                roots.put(identity, answer.roots());
            } else {
                entry.failures++;
                boolean news =
                        entry.failures == UNLOGGED + 1 || !answer.trouble().equals(entry.trouble);
                if (entry.failures > UNLOGGED && news) {
                    LOG.log(System.Logger.Level.WARNING, "no certificate for " + identity + ": " + answer.trouble());
                }
                entry.trouble = answer.trouble();
                Duration wait = entry.backoff.next();
                entry.next = nanos.getAsLong() + wait.toNanos();
                owner.offerLater(wait, this::look);
            }
        }
        look();
    }

    private void tell() {
        Map<SpiffeId, TlsIdentity> certificates = new HashMap<>();
        Set<SpiffeId> awaited = new LinkedHashSet<>();
        Map<SpiffeId, String> troubles = new HashMap<>();
        long time = nanos.getAsLong();
        entries.forEach((identity, entry) -> {
            if (entry.held.isPresent()) {
                certificates.put(identity, entry.held.get().tls());
            } else if (time - entry.since < PATIENCE.toNanos()) {
                awaited.add(identity);
            }
            if (!entry.trouble.isEmpty()) {
                troubles.put(identity, entry.trouble);
            }
        });
        Snapshot now = new Snapshot(certificates, awaited, troubles, trusted());
        if (!now.equals(last)) {
            last = now;
            listener.accept(now);
        }
    }

    private List<X509Certificate> trusted() {
        if (announcedRoots.isPresent()) {
            return announcedRoots.get();
        }
        Map<String, X509Certificate> all = new TreeMap<>();
        roots.values()
                .forEach(each -> each.forEach(root ->
                        all.put(root.getSubjectX500Principal().getName() + " " + root.getSerialNumber(), root)));
        return new ArrayList<>(all.values());
    }

    /**
     * An identity for reports.
     *
     * @param identity who
     * @param held its certificate, if there is one
     * @param trouble why the last request failed; empty when it did not
     */
    public record Report(SpiffeId identity, Optional<Held> held, String trouble) {}

    /**
     * A certificate for reports.
     *
     * @param serial its number at the authority, in hexadecimal digits
     * @param issued when it came
     * @param ends the end of its validity
     * @param renewal when the next one is asked for
     */
    public record Held(String serial, Instant issued, Instant ends, Instant renewal) {}

    /** All identities that live here, by name. */
    public List<Report> reports() {
        return owner.call(() -> entries.entrySet().stream()
                .map(each -> new Report(
                        each.getKey(),
                        each.getValue()
                                .held
                                .map(held -> new Held(
                                        held.serial().toString(16), held.issued(), held.ends(), held.renewal())),
                        each.getValue().trouble))
                .sorted(Comparator.comparing(report -> report.identity().toString()))
                .toList());
    }

    /** Looks now, after what waits to be done; for tests that turn the clock. */
    void lookNow() {
        owner.call(() -> {
            look();
            return true;
        });
    }

    /** True when no request is under way. */
    boolean isQuiet() {
        return owner.call(() -> underWay == 0);
    }

    /** Forgets everything; the listener is not called any more. */
    @Override
    public void close() {
        owner.offer(() -> {
            entries.clear();
            roots.clear();
        });
        owner.close();
    }
}
