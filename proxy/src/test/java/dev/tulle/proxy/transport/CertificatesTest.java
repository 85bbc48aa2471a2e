package dev.tulle.proxy.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.Certificates;
import dev.tulle.common.pki.Pem;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.common.pki.UnusableCertificateException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is read of files that openssl wrote, and how each kind of unusable one is named. */
class CertificatesTest {
    // Certificates that a test makes are valid from their second on.
    private final Instant now = Instant.now().plusSeconds(60);

    @TempDir
    static Path directory;

    private static Pki pki;

    @BeforeAll
    static void make() {
        pki = new Pki(directory).authority("root").authority("other");
        pki.intermediate("middle", "root")
                .issue("leaf", "middle", "DNS:leaf.example")
                .issue("single", "root", "DNS:single.example");
    }

    private static TlsIdentity identity(Path chain, Path key, Instant at) throws UnusableCertificateException {
        return Certificates.identity(Pem.read(chain), Pem.read(key), at);
    }

    private void refused(String expected, Path chain, Path key, Instant at) {
        UnusableCertificateException e =
                assertThrows(UnusableCertificateException.class, () -> identity(chain, key, at));
        assertTrue(String.valueOf(e.getMessage()).contains(expected), e.getMessage());
        assertTrue(String.valueOf(e.getMessage()).startsWith(directory.toString()), e.getMessage());
    }

    private void refused(String expected, Path chain, Path key) {
        refused(expected, chain, key, now);
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    private Path together(String name, Path... parts) throws IOException {
        StringBuilder all = new StringBuilder();
        for (Path part : parts) {
            all.append(Files.readString(part));
        }
        return write(name, all.toString());
    }

    @Test
    void chainWithItsKey() throws Exception {
        Path chain = together("chain.pem", pki.certificate("leaf"), pki.certificate("middle"));
        TlsIdentity read = identity(chain, pki.key("leaf"), now);
        assertEquals(2, read.chain().size());
        assertEquals("CN=leaf", read.certificate().getSubjectX500Principal().getName());
        Path one = together("one.pem", pki.key("leaf"), pki.certificate("leaf"));
        assertEquals(1, identity(one, one, now).chain().size());
    }

    @Test
    void everyFormOfKeyThatOpensslWrites() throws Exception {
        Path old = directory.resolve("old.key");
        pki.run("ec", "-in", pki.key("single").toString(), "-out", old.toString());
        assertTrue(Files.readString(old).contains("BEGIN EC PRIVATE KEY"));
        identity(pki.certificate("single"), old, now);
        for (String curve : new String[] {"secp384r1", "secp521r1"}) {
            Path key = directory.resolve(curve + ".key");
            Path certificate = directory.resolve(curve + ".pem");
            pki.run("ecparam", "-name", curve, "-genkey", "-out", key.toString());
            pki.run("req", "-x509", "-key", key.toString(), "-subj", "/CN=x", "-out", certificate.toString());
            identity(certificate, key, now);
        }
        Path rsa = directory.resolve("rsa.key");
        Path certificate = directory.resolve("rsa.pem");
        pki.run(
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=x",
                "-keyout",
                rsa.toString(),
                "-out",
                certificate.toString());
        identity(certificate, rsa, now);
        Path traditional = directory.resolve("rsa-old.key");
        pki.run("rsa", "-traditional", "-in", rsa.toString(), "-out", traditional.toString());
        assertTrue(Files.readString(traditional).contains("BEGIN RSA PRIVATE KEY"));
        identity(certificate, traditional, now);
        refused("no private key of kind EC", pki.certificate("single"), traditional);
        refused("the certificate's is RSA", certificate, old);
    }

    @Test
    void unusableCertificates() throws Exception {
        Path leaf = pki.certificate("leaf");
        Path key = pki.key("leaf");
        refused("there is no such file", directory.resolve("none.pem"), key);
        refused("cannot be read", directory, key);
        refused("no certificate in it, found no PEM at all", write("text", "hello"), key);
        refused("no certificate in it, found PRIVATE KEY", key, key);
        refused(
                "certificate 1 cannot be read",
                write("short.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                key);
        refused("CN=leaf expired at ", leaf, key, now.plus(Duration.ofDays(40)));
        refused("CN=leaf is not valid before ", leaf, key, now.minus(Duration.ofDays(2)));
        refused("out of order", together("turned.pem", leaf, pki.certificate("root"), pki.certificate("middle")), key);
        refused("incomplete", together("gap.pem", leaf, pki.certificate("root")), key);
        refused("incomplete", together("foreign.pem", leaf, pki.certificate("other")), key);
        refused("expected at most 4194304", write("large.pem", "x".repeat((4 << 20) + 1)), key);
    }

    @Test
    void aPipeIsNotWaitedFor() throws Exception {
        Path pipe = directory.resolve("pipe");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        assertTimeoutPreemptively(
                Duration.ofSeconds(10), () -> refused("it is not a regular file", pipe, pki.key("leaf")));
        refused("it is not a regular file", directory, pki.key("leaf"));
        Path link = Files.createSymbolicLink(directory.resolve("link"), pki.certificate("leaf"));
        assertEquals(1, Certificates.authorities(Pem.read(link), now).size());
    }

    @Test
    void unusableKeys() throws Exception {
        Path leaf = pki.certificate("leaf");
        refused("there is no such file", leaf, directory.resolve("none.key"));
        refused("no private key in it, found CERTIFICATE", leaf, leaf);
        refused("is not that of the certificate for CN=leaf", leaf, pki.key("single"));
        refused("2 private keys", leaf, together("two.key", pki.key("leaf"), pki.key("single")));
        Path encrypted = directory.resolve("encrypted.key");
        pki.run(
                "pkcs8",
                "-topk8",
                "-in",
                pki.key("leaf").toString(),
                "-passout",
                "pass:secret",
                "-out",
                encrypted.toString());
        refused("is encrypted", leaf, encrypted);
        Path old = directory.resolve("encrypted-old.key");
        pki.run("ec", "-in", pki.key("leaf").toString(), "-aes128", "-passout", "pass:secret", "-out", old.toString());
        refused("is encrypted", leaf, old);
        refused("no base64", leaf, write("base.key", "-----BEGIN PRIVATE KEY-----\nA=A\n-----END PRIVATE KEY-----\n"));
        Path edward = directory.resolve("ed.key");
        Path certificate = directory.resolve("ed.pem");
        pki.run(
                "req",
                "-x509",
                "-newkey",
                "ed25519",
                "-nodes",
                "-subj",
                "/CN=x",
                "-keyout",
                edward.toString(),
                "-out",
                certificate.toString());
        refused("expected RSA or EC", certificate, edward);
    }

    @Test
    void authoritiesWithoutTheExpiredOnes() throws Exception {
        Path both = together("both.pem", pki.certificate("root"), pki.certificate("other"));
        assertEquals(2, Certificates.authorities(Pem.read(both), now).size());
        UnusableCertificateException e = assertThrows(
                UnusableCertificateException.class,
                () -> Certificates.authorities(Pem.read(both), now.plus(Duration.ofDays(40))));
        assertTrue(String.valueOf(e.getMessage()).contains("CN=root expired at "), e.getMessage());
    }

    @Test
    void aSecretIsInNoText() throws Exception {
        TlsIdentity read = identity(pki.certificate("leaf"), pki.key("leaf"), now);
        assertEquals(pki.certificate("leaf") + " and " + pki.key("leaf") + " (CN=leaf)", read.toString());
        assertEquals(pki.key("leaf").toString(), Pem.read(pki.key("leaf")).toString());
    }
}
