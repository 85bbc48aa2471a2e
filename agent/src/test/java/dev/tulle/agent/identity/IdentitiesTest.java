package dev.tulle.agent.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys and certificates with a clock that the test turns; the mesh's authority signs. */
class IdentitiesTest {
    private static final SpiffeId A = SpiffeId.workload("cluster.local", "default", "a");
    private static final SpiffeId B = SpiffeId.workload("cluster.local", "default", "b");
    private static final Duration LIFE = Duration.ofMinutes(1);

    private final Hands hands = new Hands();

    @TempDir
    private Path directory = Path.of("");

    private TestAuthority authority;
    private Identities identities;
    private volatile Identities.Snapshot last = Identities.Snapshot.EMPTY;

    // The lifecycle method below sets them before any test runs.
    @SuppressWarnings("NullAway.Init")
    IdentitiesTest() {}

    /** The wall clock and, moved apart from it, the monotonic one. */
    private static final class Hands extends Clock {
        private volatile Instant now = Instant.parse("2026-11-30T12:00:00Z");
        private final AtomicLong nanos = new AtomicLong(1);

        void wall(Duration by) {
            now = now.plus(by);
        }

        void both(Duration by) {
            wall(by);
            nanos.addAndGet(by.toNanos());
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return now;
        }
    }

    @BeforeEach
    void start() throws Exception {
        authority = new TestAuthority(directory.resolve("authority"), hands);
        identities = with(authority);
    }

    private Identities with(CertificateSource source) {
        return new Identities(source, hands, hands.nanos::get, new Random(1), snapshot -> last = snapshot);
    }

    @AfterEach
    void stop() throws IOException {
        identities.close();
        authority.close();
    }

    private static void until(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("does not come true: " + what);
            }
            Thread.sleep(2);
        }
    }

    /** Has what is due done, and waits until it is. */
    private void look() throws InterruptedException {
        identities.lookNow();
        until("every request is answered", () -> identities.isQuiet());
    }

    private TlsIdentity held(SpiffeId identity) {
        return Optional.ofNullable(last.certificates().get(identity)).orElseThrow();
    }

    private BigInteger serial(SpiffeId identity) {
        return held(identity).certificate().getSerialNumber();
    }

    private String trouble(SpiffeId identity) {
        return identities.reports().stream()
                .filter(report -> report.identity().equals(identity))
                .findFirst()
                .orElseThrow()
                .trouble();
    }

    @Test
    void whoBeginsHasACertificateAndWhoHasLeftIsForgotten() throws Exception {
        identities.living(Set.of(A));
        look();
        assertEquals(A, SpiffeId.of(held(A).certificate()));
        assertEquals(1, last.roots().size());
        assertEquals(Set.of(), last.awaited());
        Identities.Report report = identities.reports().getFirst();
        Identities.Held held = report.held().orElseThrow();
        assertEquals(serial(A).toString(16), held.serial());
        assertEquals(hands.instant().plus(LIFE), held.ends());

        identities.living(Set.of(A, B));
        look();
        assertNotEquals(held(A).key(), held(B).key());
        var first = held(A).key();
        identities.living(Set.of(B));
        look();
        assertEquals(Set.of(B), last.certificates().keySet());
        identities.living(Set.of(A, B));
        look();
        assertNotEquals(first, held(A).key());
        assertEquals(List.of(A, B, A), authority.asked);
    }

    @Test
    void itIsRenewedAboutHalfOfItsTimeWithANewKey() throws Exception {
        identities.living(Set.of(A));
        look();
        BigInteger first = serial(A);
        var key = held(A).key();
        Duration half = Duration.between(
                hands.instant(),
                identities.reports().getFirst().held().orElseThrow().renewal());
        assertTrue(half.compareTo(LIFE.multipliedBy(45).dividedBy(100)) >= 0, half.toString());
        assertTrue(half.compareTo(LIFE.multipliedBy(55).dividedBy(100)) <= 0, half.toString());
        hands.both(half.minusMillis(1));
        look();
        assertEquals(first, serial(A));
        hands.both(Duration.ofMillis(1));
        look();
        assertNotEquals(first, serial(A));
        assertNotEquals(key, held(A).key());
    }

    @Test
    void theMomentsOfRenewalDiffer() throws Exception {
        Set<SpiffeId> many = IntStream.range(0, 20)
                .mapToObj(i -> SpiffeId.workload("cluster.local", "default", "w" + i))
                .collect(Collectors.toSet());
        identities.living(many);
        until("all have one", () -> last.certificates().size() == many.size());
        Set<Instant> moments = new HashSet<>();
        identities
                .reports()
                .forEach(report -> moments.add(report.held().orElseThrow().renewal()));
        assertTrue(moments.size() > 15, moments.toString());
    }

    @Test
    void aHostThatSleptRenewsAtOnceThoughNoTimeHasPassedForIt() throws Exception {
        identities.living(Set.of(A));
        look();
        BigInteger first = serial(A);
        hands.wall(LIFE.minusSeconds(10));
        look();
        assertNotEquals(first, serial(A));
        // Longer than it held: gone, and there is the next one.
        BigInteger second = serial(A);
        hands.wall(Duration.ofDays(2));
        look();
        assertNotEquals(second, serial(A));
    }

    @Test
    void oneThatIsNotValidYetIsReplacedWhenTheClockWasSetBack() throws Exception {
        identities.living(Set.of(A));
        look();
        BigInteger first = serial(A);
        hands.wall(Duration.ofSeconds(-10));
        look();
        assertEquals(first, serial(A));
        hands.wall(Duration.ofMinutes(-5));
        look();
        assertNotEquals(first, serial(A));
    }

    @Test
    void withoutAnAuthorityTheOldOneIsKeptToItsEnd() throws Exception {
        identities.living(Set.of(A));
        look();
        BigInteger first = serial(A);
        authority.refusal = "nobody is there";
        hands.both(LIFE.minusSeconds(1));
        look();
        assertEquals(first, serial(A));
        assertEquals("nobody is there", trouble(A));
        assertEquals(Map.of(A, "nobody is there"), last.troubles());
        // Not again before its time, however often is looked.
        int asked = authority.asked.size();
        look();
        assertEquals(asked, authority.asked.size());

        hands.both(Duration.ofSeconds(2));
        look();
        assertFalse(last.certificates().containsKey(A));
        authority.refusal = "";
        hands.both(Duration.ofSeconds(15));
        look();
        assertNotEquals(first, serial(A));
        assertEquals("", trouble(A));
    }

    @Test
    void whoHasNoneIsAwaitedForAWhileAndThenIsNot() throws Exception {
        authority.refusal = "not now";
        identities.living(Set.of(A));
        look();
        assertEquals(Set.of(A), last.awaited());
        hands.both(Identities.PATIENCE.minusMillis(1));
        look();
        assertEquals(Set.of(A), last.awaited());
        hands.both(Duration.ofMillis(1));
        look();
        assertEquals(Set.of(), last.awaited());
        authority.refusal = "";
        hands.both(Duration.ofSeconds(15));
        look();
        assertTrue(last.certificates().containsKey(A));
    }

    @Test
    void whatWasNotAskedForIsNotTaken() throws Exception {
        identities.close();
        identities = with((_, keys) -> authority.request(B, keys));
        identities.living(Set.of(A));
        look();
        assertEquals("the authority has signed for " + B + ", expected " + A, trouble(A));
        identities.close();
        var others = new java.security.KeyPair[] {
            java.security.KeyPairGenerator.getInstance("EC").generateKeyPair()
        };
        identities = with((identity, _) -> authority.request(identity, others[0]));
        identities.living(Set.of(A));
        look();
        assertEquals("the authority has signed another key for " + A, trouble(A));
        identities.close();
        identities = with((_, _) -> new CertificateSource.Issued(List.of(), List.of()));
        identities.living(Set.of(A));
        look();
        assertEquals("the authority has answered without a certificate", trouble(A));
        assertEquals(Map.of(), last.certificates());
    }

    @Test
    void onlySoManyAreAskedForAtOnce() throws Exception {
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch gate = new CountDownLatch(1);
        identities.close();
        identities = with((identity, keys) -> {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
            try {
                if (!gate.await(20, TimeUnit.SECONDS)) {
                    throw new IOException("nobody opened");
                }
                return authority.request(identity, keys);
            } catch (InterruptedException e) {
                throw new IOException(e);
            } finally {
                now.decrementAndGet();
            }
        });
        Set<SpiffeId> many = IntStream.range(0, 3 * Identities.AT_ONCE)
                .mapToObj(i -> SpiffeId.workload("cluster.local", "default", "w" + i))
                .collect(Collectors.toSet());
        identities.living(many);
        until("as many as may be wait", () -> now.get() == Identities.AT_ONCE);
        gate.countDown();
        until("all have one", () -> last.certificates().size() == many.size());
        assertEquals(Identities.AT_ONCE, most.get());
    }

    @Test
    void rootsThatAreAnnouncedCountAlone() throws Exception {
        identities.living(Set.of(A));
        look();
        List<X509Certificate> own = last.roots();
        assertEquals(1, own.size());
        try (TestAuthority next = new TestAuthority(directory.resolve("next"), hands)) {
            List<X509Certificate> both = List.of(own.getFirst(), next.roots().getFirst());
            identities.trust(both);
            look();
            assertEquals(both, last.roots());
            identities.living(Set.of(A, B));
            look();
            assertEquals(both, last.roots());
        }
    }

    @Test
    void aKeyIsInNoText() throws Exception {
        identities.living(Set.of(A));
        look();
        BigInteger secret = ((ECPrivateKey) held(A).key()).getS();
        String said = last + " " + identities.reports() + " " + held(A);
        assertTrue(said.contains(A.toString()));
        assertFalse(said.contains(secret.toString()) || said.contains(secret.toString(16)), said);
    }
}
