package dev.tulle.identity.authority;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.request.CsrMaker;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the authority signs, keeps and revokes; openssl, which we did not write, judges it. */
class CertificateAuthorityTest {
    private static final SpiffeId REVIEWS = SpiffeId.workload("cluster.local", "default", "reviews");

    @TempDir
    private Path folder;

    private final Lab.Clock clock = new Lab.Clock();

    private AuthorityOptions options() {
        return AuthorityOptions.of(folder.resolve("authority"));
    }

    private static CertificateRequest request() throws Exception {
        return CertificateRequest.of(CsrMaker.der(CsrMaker.newKey()));
    }

    private Path pem(String name, List<X509Certificate> certificates) throws IOException {
        return Files.writeString(folder.resolve(name), IssuedCertificate.pem(certificates));
    }

    @Test
    void opensslBelievesALeafAndShowsItsProfile() throws Exception {
        KeyPair key = CsrMaker.newKey();
        IssuedCertificate issued;
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            issued = authority.sign(CertificateRequest.of(CsrMaker.der(key)), REVIEWS, Duration.ZERO, "a");
        }
        assertEquals(key.getPublic(), issued.leaf().getPublicKey());
        assertEquals(REVIEWS, SpiffeId.of(issued.leaf()));
        assertEquals(clock.instant().plus(Duration.ofDays(1)), issued.end());
        pem("roots.pem", issued.roots());
        pem("chain.pem", issued.chain().subList(1, issued.chain().size()));
        pem("leaf.pem", List.of(issued.leaf()));
        for (String purpose : List.of("sslclient", "sslserver")) {
            Lab.openssl(
                    folder,
                    "verify",
                    "-x509_strict",
                    "-purpose",
                    purpose,
                    "-CAfile",
                    "roots.pem",
                    "-untrusted",
                    "chain.pem",
                    "leaf.pem");
        }
        String text = Lab.openssl(folder, "x509", "-in", "leaf.pem", "-noout", "-text");
        for (String line : List.of(
                "Version: 3 (0x2)",
                "Subject: \n",
                "X509v3 Basic Constraints: critical\n                CA:FALSE",
                "X509v3 Key Usage: critical\n                Digital Signature\n",
                "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication",
                "X509v3 Subject Alternative Name: critical\n                URI:spiffe://cluster.local/ns/default/sa/reviews\n",
                "Signature Algorithm: ecdsa-with-SHA256")) {
            assertTrue(text.contains(line), () -> line + "\nis not in\n" + text);
        }
    }

    @Test
    void theLifeOfALeafHasBounds() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            Instant now = clock.instant();
            assertEquals(
                    now.plusSeconds(60),
                    authority
                            .sign(request(), REVIEWS, Duration.ofMillis(1), "a")
                            .end());
            assertEquals(
                    now.plusSeconds(90),
                    authority
                            .sign(request(), REVIEWS, Duration.ofSeconds(90), "a")
                            .end());
            assertEquals(
                    now.plus(Duration.ofDays(1)),
                    authority.sign(request(), REVIEWS, Duration.ofDays(2), "a").end());
            assertEquals(
                    now.minus(Duration.ofMinutes(2)),
                    authority
                            .sign(request(), REVIEWS, Duration.ZERO, "a")
                            .leaf()
                            .getNotBefore()
                            .toInstant());
        }
    }

    @Test
    void aLeafNeverOutlivesItsIssuer() throws Exception {
        AuthorityOptions shortly = options().withLives(Duration.ofMinutes(10), Duration.ofMinutes(80));
        try (CertificateAuthority authority = Lab.open(shortly, clock)) {
            Instant end = authority.roots().getFirst().getNotAfter().toInstant();
            clock.pass(Duration.ofMinutes(75));
            assertEquals(
                    end, authority.sign(request(), REVIEWS, Duration.ZERO, "a").end());
            clock.pass(Duration.ofMinutes(5).minusSeconds(5));
            assertTrue(String.valueOf(assertThrows(
                                    RefusedSignatureException.class,
                                    () -> authority.sign(request(), REVIEWS, Duration.ZERO, "a"))
                            .getMessage())
                    .contains("the authority's own certificate ends at"));
        }
    }

    @Test
    void signsForItsOwnTrustDomainOnly() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            for (String other : List.of("spiffe://elsewhere/ns/default/sa/reviews", "spiffe://cluster.local")) {
                assertThrows(
                        RefusedSignatureException.class,
                        () -> authority.sign(request(), SpiffeId.parse(other), Duration.ZERO, "a"));
            }
        }
    }

    @Test
    void serialNumbersAreLongAndDiffer() throws Exception {
        Set<BigInteger> seen = new HashSet<>();
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            CertificateRequest request = request();
            for (int i = 0; i < 50; i++) {
                BigInteger serial = authority
                        .sign(request, REVIEWS, Duration.ZERO, "a")
                        .leaf()
                        .getSerialNumber();
                assertEquals(127, serial.bitLength());
                assertTrue(seen.add(serial));
            }
        }
    }

    @Test
    void aRestartChangesNothing() throws Exception {
        List<X509Certificate> roots;
        BigInteger serial;
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            roots = authority.roots();
            serial = authority
                    .sign(request(), REVIEWS, Duration.ZERO, "a")
                    .leaf()
                    .getSerialNumber();
            authority.sign(request(), SpiffeId.workload("cluster.local", "default", "ratings"), Duration.ZERO, "a");
            assertEquals(1, authority.revoke(REVIEWS).size());
        }
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            assertEquals(roots, authority.roots());
            assertTrue(authority.isRevoked(serial));
            assertEquals(2, authority.status().living());
            assertEquals("a", authority.status().revoked().getFirst().node());
            clock.pass(Duration.ofDays(2));
            authority.maintain(Set.of());
            assertEquals(0, authority.status().living());
            assertEquals(List.of(), authority.status().revoked());
        }
    }

    @Test
    void opensslRefusesWhatWasRevoked() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            IssuedCertificate first = authority.sign(request(), REVIEWS, Duration.ZERO, "a");
            IssuedCertificate second = authority.sign(request(), REVIEWS, Duration.ZERO, "b");
            IssuedCertificate other = authority.sign(
                    request(), SpiffeId.workload("cluster.local", "default", "ratings"), Duration.ZERO, "a");
            assertEquals(1, authority.revoke(first.leaf().getSerialNumber()).size());
            assertEquals(
                    List.of(second.leaf().getSerialNumber().toString(16)),
                    authority.revoke(REVIEWS).stream()
                            .map(AuthorityStatus.RevokedLeaf::serial)
                            .toList());
            assertEquals(List.of(), authority.revoke(REVIEWS));
            assertEquals(List.of(), authority.revoke(BigInteger.TEN));
            X509CRL crl = authority.crls().getFirst();
            crl.verify(first.chain().get(1).getPublicKey());
            Files.write(folder.resolve("crl.der"), crl.getEncoded());
            Lab.openssl(folder, "crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem");
            pem("roots.pem", first.roots());
            pem("chain.pem", List.of(first.chain().get(1)));
            for (IssuedCertificate one : List.of(first, second, other)) {
                pem("leaf.pem", List.of(one.leaf()));
                Lab.Outcome outcome = Lab.tryOpenssl(
                        folder,
                        "verify",
                        "-crl_check",
                        "-CRLfile",
                        "crl.pem",
                        "-CAfile",
                        "roots.pem",
                        "-untrusted",
                        "chain.pem",
                        "leaf.pem");
                assertEquals(one.equals(other), outcome.status() == 0, outcome.text());
                assertEquals(one.equals(other), !outcome.text().contains("certificate revoked"), outcome.text());
            }
        }
    }

    @Test
    void aLogThatWasCutOffCostsItsLastLineOnly() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            authority.sign(request(), REVIEWS, Duration.ZERO, "a");
            authority.sign(request(), REVIEWS, Duration.ZERO, "a");
        }
        Path log = folder.resolve("authority/issued.log");
        String text = Files.readString(log);
        Files.writeString(log, text.substring(0, text.length() - 20));
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            assertEquals(1, authority.status().living());
            authority.sign(request(), REVIEWS, Duration.ZERO, "a");
        }
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            assertEquals(2, authority.status().living());
        }
    }

    @Test
    void theLogDoesNotGrowForEver() throws Exception {
        Path file = folder.resolve("issued.log");
        try (IssueLog log = IssueLog.open(file, clock.instant())) {
            for (int i = 0; i < 400; i++) {
                Instant end = clock.instant().plusSeconds(60);
                log.add(new IssueLog.Issued(BigInteger.valueOf(i), 1, end, "a", REVIEWS.toString()));
                clock.pass(Duration.ofSeconds(1));
                log.forget(clock.instant());
            }
        }
        assertTrue(Files.readAllLines(file).size() < 400);
        try (IssueLog log = IssueLog.open(file, clock.instant())) {
            assertEquals(59, log.living().size());
        }
    }

    @Test
    void nobodyElseMayReadItsFiles() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            authority.sign(request(), REVIEWS, Duration.ZERO, "a");
            authority.revoke(REVIEWS);
        }
        try (Stream<Path> all = Files.walk(folder.resolve("authority"))) {
            for (Path one : all.toList()) {
                assertEquals(
                        Files.isDirectory(one) ? "rwx------" : "rw-------",
                        PosixFilePermissions.toString(Files.getPosixFilePermissions(one)),
                        one.toString());
            }
        }
    }

    @Test
    void aKeyThatOthersMayReadIsRefused() throws Exception {
        Lab.open(options(), clock).close();
        Path key = folder.resolve("authority/root-1/ca-key.pem");
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-r-----"));
        String told = String.valueOf(assertThrows(IOException.class, () -> Lab.open(options(), clock))
                .getMessage());
        assertEquals(key + ": has mode 0640, others may use it: expected 0600 (chmod 600 " + key + ")", told);
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-------"));
        Path moved = Files.move(key, folder.resolve("moved"));
        Files.createSymbolicLink(key, moved);
        assertThrows(IOException.class, () -> Lab.open(options(), clock));
        Files.delete(key);
        Files.createLink(key, moved);
        assertThrows(IOException.class, () -> Lab.open(options(), clock));
        Files.delete(moved);
        Lab.open(options(), clock).close();
        Files.setPosixFilePermissions(folder.resolve("authority"), PosixFilePermissions.fromString("rwxr-x---"));
        assertThrows(IOException.class, () -> Lab.open(options(), clock));
    }

    @Test
    void aPassphraseProtectsItsKeys() throws Exception {
        Path file = Lab.write(folder.resolve("passphrase"), "correct horse\n");
        AuthorityOptions options = options().withPassphraseFile(file);
        List<X509Certificate> roots;
        try (CertificateAuthority authority = Lab.open(options, clock)) {
            roots = authority.roots();
        }
        for (String key : List.of("ca-key.pem", "root-key.pem")) {
            assertTrue(Files.readString(folder.resolve("authority/root-1").resolve(key))
                    .startsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        }
        Lab.openssl(
                folder, "pkey", "-in", "authority/root-1/ca-key.pem", "-passin", "file:passphrase", "-noout", "-check");
        try (CertificateAuthority authority = Lab.open(options, clock)) {
            assertEquals(roots, authority.roots());
        }
        Lab.write(file, "wrong horse\n");
        assertTrue(String.valueOf(assertThrows(Exception.class, () -> Lab.open(options, clock))
                        .getMessage())
                .endsWith("ca-key.pem: the key cannot be decrypted with the passphrase in " + file));
        assertTrue(String.valueOf(assertThrows(Exception.class, () -> Lab.open(options(), clock))
                        .getMessage())
                .contains("expected --ca-passphrase-file"));
    }

    @Test
    void anotherTrustDomainNeedsAnotherFolder() throws Exception {
        Lab.open(options(), clock).close();
        AuthorityOptions other = new AuthorityOptions(
                options().folder(),
                options().pluggedIn(),
                options().passphraseFile(),
                "example.org",
                options().leafLife(),
                options().rootLife(),
                options().keys());
        assertTrue(String.valueOf(assertThrows(IOException.class, () -> Lab.open(other, clock))
                        .getMessage())
                .contains("is the authority of trust domain cluster.local, found example.org"));
    }

    @Test
    void whoWasRevokedDoesNotComeBackUnnoticed() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), clock)) {
            authority.sign(request(), REVIEWS, Duration.ZERO, "a");
            authority.revoke(REVIEWS);
        }
        Path revoked = folder.resolve("authority/revoked.json");
        Files.writeString(revoked, "x" + Files.readString(revoked));
        assertThrows(IOException.class, () -> Lab.open(options(), clock));
    }

    @Test
    void namesOfAuthoritiesDiffer() throws Exception {
        try (CertificateAuthority one = Lab.open(options(), clock);
                CertificateAuthority other = Lab.open(AuthorityOptions.of(folder.resolve("other")), clock)) {
            assertNotEquals(
                    one.roots().getFirst().getSubjectX500Principal(),
                    other.roots().getFirst().getSubjectX500Principal());
            assertFalse(
                    one.roots().getFirst().getSubjectX500Principal().getName().isEmpty());
        }
    }
}
