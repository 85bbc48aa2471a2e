package dev.tulle.identity.authority;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.MeshTrust;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.identity.rotation.RotationState.Phase;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A root takes the place of another in a real folder; the order of steps is {@code RotationModelTest}'s. */
class AuthorityRotationTest {
    private static final SpiffeId REVIEWS = SpiffeId.workload("cluster.local", "default", "reviews");
    private static final Duration LIFE = Duration.ofMinutes(10);

    @TempDir
    private Path folder;

    private final Lab.Clock clock = new Lab.Clock();

    private AuthorityOptions options() {
        return AuthorityOptions.of(folder.resolve("authority")).withLives(LIFE, Duration.ofDays(10));
    }

    private static IssuedCertificate sign(CertificateAuthority authority) throws Exception {
        return authority.sign(CertificateRequest.of(CsrMaker.der(CsrMaker.newKey())), REVIEWS, Duration.ZERO, "a");
    }

    private static Set<String> fingerprints(List<X509Certificate> roots) {
        return roots.stream().map(Fingerprints::of).collect(Collectors.toSet());
    }

    private static Phase phase(CertificateAuthority authority) {
        return authority.status().rotation().phase();
    }

    /** As openssl and the mesh's own check have it, which must agree. */
    private boolean believes(X509Certificate root, IssuedCertificate issued) throws Exception {
        boolean own;
        try {
            MeshTrust.check(
                    issued.chain().toArray(new X509Certificate[0]), List.of(root), REVIEWS::equals, clock.instant());
            own = true;
        } catch (CertificateException e) {
            own = false;
        }
        assertEquals(opensslBelieves(root, issued), own);
        return own;
    }

    private boolean opensslBelieves(X509Certificate root, IssuedCertificate issued) throws Exception {
        Files.writeString(folder.resolve("root.pem"), IssuedCertificate.pem(List.of(root)));
        Files.writeString(
                folder.resolve("chain.pem"),
                IssuedCertificate.pem(issued.chain().subList(1, issued.chain().size())));
        Files.writeString(folder.resolve("leaf.pem"), IssuedCertificate.pem(List.of(issued.leaf())));
        return Lab.tryOpenssl(
                                folder,
                                "verify",
                                "-x509_strict",
                                "-attime",
                                Long.toString(clock.instant().getEpochSecond()),
                                "-CAfile",
                                "root.pem",
                                "-untrusted",
                                "chain.pem",
                                "leaf.pem")
                        .status()
                == 0;
    }

    @Test
    void everyStepSurvivesARestart() throws Exception {
        X509Certificate old;
        X509Certificate next;
        IssuedCertificate between;
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            old = sign(authority).roots().getFirst();
            authority.rotate();
        }
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            authority.maintain(Set.of("a"));
            assertEquals(Phase.ANNOUNCING, phase(authority));
            assertEquals(
                    List.of(2, 2),
                    List.of(authority.roots().size(), authority.crls().size()));
            assertEquals(old, authority.roots().getFirst());
            next = authority.roots().getLast();
            IssuedCertificate issued = sign(authority);
            assertTrue(believes(old, issued));
            authority.trusts("a", fingerprints(authority.roots()));
            authority.maintain(Set.of("a"));
            assertEquals(Phase.REPLACING, phase(authority));
        }
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            assertEquals(List.of(next, old), authority.roots());
            between = sign(authority);
            // Who knows one of the two roots only believes it as well.
            assertTrue(believes(next, between));
            assertTrue(believes(old, between));
            clock.pass(LIFE);
            authority.maintain(Set.of("a"));
            assertEquals(
                    List.of("node a has not said that it trusts the new root"),
                    authority.status().waiting());
            authority.trusts("a", fingerprints(authority.roots()));
            authority.maintain(Set.of("a"));
            assertEquals(Phase.STEADY, phase(authority));
            assertTrue(Files.notExists(folder.resolve("authority/root-1")));
        }
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            assertEquals(List.of(next), authority.roots());
            IssuedCertificate issued = sign(authority);
            assertEquals(2, issued.chain().size());
            assertTrue(believes(next, issued));
            assertTrue(!believes(old, issued));
        }
    }

    @Test
    void aNodeThatIsAwayHoldsUpTheEndAndNotTheBeginning() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            X509Certificate old = sign(authority).roots().getFirst();
            authority.rotate();
            authority.maintain(Set.of());
            assertEquals(Phase.ANNOUNCING, phase(authority));
            clock.pass(LIFE.minusSeconds(1));
            sign(authority);
            clock.pass(Duration.ofSeconds(1));
            authority.maintain(Set.of());
            assertEquals(Phase.REPLACING, phase(authority));
            assertTrue(believes(old, sign(authority)));
            clock.pass(LIFE.minusSeconds(1));
            authority.maintain(Set.of());
            assertEquals(Phase.REPLACING, phase(authority));
            // With its last certificate it is out of the mesh, and is told the new root when it comes back.
            clock.pass(Duration.ofSeconds(1));
            authority.maintain(Set.of());
            assertEquals(Phase.STEADY, phase(authority));
        }
    }

    @Test
    void withoutTheOldRootsKeyEverybodyIsWaitedFor() throws Exception {
        Lab.open(options(), clock).close();
        Files.delete(folder.resolve("authority/root-1/root-key.pem"));
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            sign(authority);
            authority.rotate();
            clock.pass(Duration.ofHours(2));
            authority.maintain(Set.of("a"));
            assertEquals(Phase.ANNOUNCING, phase(authority));
        }
    }

    @Test
    void itBeginsByItselfBeforeTheRootEnds() throws Exception {
        AtomicInteger told = new AtomicInteger();
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            authority.addListener(told::incrementAndGet);
            authority.maintain(Set.of());
            assertEquals(0, told.get());
            clock.pass(Duration.ofDays(8));
            authority.maintain(Set.of());
            assertEquals(Phase.ANNOUNCING, phase(authority));
            assertEquals(1, told.get());
            assertThrows(RefusedSignatureException.class, authority::rotate);
        }
    }

    @Test
    void whatACrashLeavesIsPutRight() throws Exception {
        X509Certificate root;
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            root = authority.roots().getFirst();
        }
        Path authority = folder.resolve("authority");
        // Made, and not announced.
        try (CertificateAuthority other = Lab.open(AuthorityOptions.of(folder.resolve("other")), clock)) {
            assertNotEquals(root, other.roots().getFirst());
        }
        Files.move(folder.resolve("other/root-1"), authority.resolve("root-2"));
        Files.createDirectory(authority.resolve("root-3.new"));
        try (CertificateAuthority again = Lab.open(options(), clock)) {
            assertEquals(List.of(root), again.roots());
            again.rotate();
        }
        assertTrue(Files.notExists(authority.resolve("root-3.new")));
        // Both are trusted when nothing says how far it was.
        Files.delete(authority.resolve("authority.json"));
        Files.delete(authority.resolve("authority.json.before"));
        try (CertificateAuthority again = Lab.open(options(), clock)) {
            assertEquals(root, again.roots().getFirst());
            assertEquals(2, again.roots().size());
            assertEquals(Phase.ANNOUNCING, phase(again));
        }
    }
}
