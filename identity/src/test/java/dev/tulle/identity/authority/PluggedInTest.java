package dev.tulle.identity.authority;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.UnusableCertificateException;
import dev.tulle.identity.request.CertificateRequest;
import dev.tulle.identity.request.CsrMaker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An authority from a folder in the layout of Istio's {@code cacerts}, made by openssl. */
class PluggedInTest {
    private static final String CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";

    @TempDir
    private Path folder;

    private Path cacerts = Path.of("");

    @BeforeEach
    void make() throws Exception {
        cacerts = Files.createDirectory(folder.resolve("cacerts"));
        key("root-key.pem");
        root("root-key.pem", "root-cert.pem", "CN=Root");
        key("ca-key.pem");
        issue("ca-key.pem", "ca-cert.pem", "CN=Intermediate", CA, "root-cert.pem", "root-key.pem");
        Files.writeString(
                cacerts.resolve("cert-chain.pem"),
                Files.readString(cacerts.resolve("ca-cert.pem")) + Files.readString(cacerts.resolve("root-cert.pem")));
        Files.move(cacerts.resolve("root-key.pem"), folder.resolve("root-key.pem"));
    }

    private void key(String name) throws Exception {
        Lab.openssl(cacerts, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name);
        Files.setPosixFilePermissions(cacerts.resolve(name), PosixFilePermissions.fromString("rw-------"));
    }

    private void root(String key, String out, String subject) throws Exception {
        Lab.openssl(
                cacerts,
                "req",
                "-x509",
                "-new",
                "-key",
                key,
                "-days",
                "30",
                "-subj",
                "/" + subject,
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign",
                "-out",
                out);
    }

    private void issue(String key, String out, String subject, String extensions, String by, String byKey)
            throws Exception {
        Lab.openssl(cacerts, "req", "-new", "-key", key, "-subj", "/" + subject, "-out", "request.pem");
        Files.writeString(cacerts.resolve("extensions"), extensions);
        Lab.openssl(
                cacerts,
                "x509",
                "-req",
                "-in",
                "request.pem",
                "-CA",
                by,
                "-CAkey",
                byKey,
                "-CAcreateserial",
                "-days",
                "20",
                "-extfile",
                "extensions",
                "-out",
                out);
    }

    private AuthorityOptions options() {
        return AuthorityOptions.of(folder.resolve("authority")).withPluggedIn(cacerts);
    }

    private String refusal() {
        Exception told = assertThrows(
                Exception.class, () -> Lab.open(options(), new Lab.Clock()).close());
        assertTrue(told instanceof UnusableCertificateException || told instanceof IOException, told.toString());
        return String.valueOf(told.getMessage());
    }

    @Test
    void signsWithIt() throws Exception {
        try (CertificateAuthority authority = Lab.open(options(), new Lab.Clock())) {
            IssuedCertificate issued = authority.sign(
                    CertificateRequest.of(CsrMaker.der(CsrMaker.newKey())),
                    SpiffeId.workload("cluster.local", "default", "reviews"),
                    Duration.ZERO,
                    "a");
            assertEquals(2, issued.chain().size());
            Files.writeString(cacerts.resolve("leaf.pem"), IssuedCertificate.pem(List.of(issued.leaf())));
            Files.writeString(
                    cacerts.resolve("chain.pem"),
                    IssuedCertificate.pem(issued.chain().subList(1, 2)));
            Lab.openssl(
                    cacerts,
                    "verify",
                    "-x509_strict",
                    "-CAfile",
                    "root-cert.pem",
                    "-untrusted",
                    "chain.pem",
                    "leaf.pem");
            assertEquals(cacerts.toString(), authority.status().source());
            assertTrue(String.valueOf(assertThrows(RefusedSignatureException.class, authority::rotate)
                            .getMessage())
                    .contains("plugged in from " + cacerts));
        }
        assertTrue(Files.notExists(folder.resolve("authority/root-1")));
    }

    @Test
    void takesARootThatSignsItself() throws Exception {
        for (String name : List.of("ca-cert.pem", "cert-chain.pem")) {
            Files.copy(cacerts.resolve("root-cert.pem"), cacerts.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        Files.copy(folder.resolve("root-key.pem"), cacerts.resolve("ca-key.pem"), StandardCopyOption.REPLACE_EXISTING);
        Files.setPosixFilePermissions(cacerts.resolve("ca-key.pem"), PosixFilePermissions.fromString("rw-------"));
        try (CertificateAuthority authority = Lab.open(options(), new Lab.Clock())) {
            IssuedCertificate issued = authority.sign(
                    CertificateRequest.of(CsrMaker.der(CsrMaker.newKey())),
                    SpiffeId.workload("cluster.local", "default", "reviews"),
                    Duration.ZERO,
                    "a");
            assertEquals(1, issued.chain().size());
        }
    }

    @Test
    void hasFurtherRootsTrusted() throws Exception {
        key("other-key.pem");
        root("other-key.pem", "other.pem", "CN=Other");
        Files.writeString(
                cacerts.resolve("root-cert.pem"),
                Files.readString(cacerts.resolve("other.pem")) + Files.readString(cacerts.resolve("root-cert.pem")));
        try (CertificateAuthority authority = Lab.open(options(), new Lab.Clock())) {
            assertEquals(
                    List.of("CN=Root", "CN=Other"),
                    authority.roots().stream()
                            .map(root -> root.getSubjectX500Principal().getName())
                            .toList());
        }
    }

    @Test
    void takesAnEncryptedKey() throws Exception {
        Path passphrase = Lab.write(folder.resolve("passphrase"), "horse\n");
        Lab.openssl(
                cacerts,
                "pkcs8",
                "-topk8",
                "-v2",
                "aes-256-cbc",
                "-in",
                "ca-key.pem",
                "-out",
                "encrypted.pem",
                "-passout",
                "file:" + passphrase);
        Files.move(
                cacerts.resolve("encrypted.pem"), cacerts.resolve("ca-key.pem"), StandardCopyOption.REPLACE_EXISTING);
        Files.setPosixFilePermissions(cacerts.resolve("ca-key.pem"), PosixFilePermissions.fromString("rw-------"));
        Lab.open(options().withPassphraseFile(passphrase), new Lab.Clock()).close();
        assertTrue(refusal().contains("expected --ca-passphrase-file"));
    }

    @Test
    void refusesAKeyOfAnother() throws Exception {
        key("ca-key.pem");
        assertTrue(refusal().contains("the private key is not that of the certificate for CN=Intermediate"));
    }

    @Test
    void refusesAKeyThatOthersMayRead() throws Exception {
        Files.setPosixFilePermissions(cacerts.resolve("ca-key.pem"), PosixFilePermissions.fromString("rw-r--r--"));
        assertTrue(refusal().contains("has mode 0644"));
    }

    @Test
    void refusesAnIssuerOfAnotherRoot() throws Exception {
        key("other-key.pem");
        root("other-key.pem", "root-cert.pem", "CN=Root");
        assertTrue(refusal().contains("does not lead to a root in root-cert.pem"));
    }

    @Test
    void refusesALeafAsIssuer() throws Exception {
        Files.move(folder.resolve("root-key.pem"), cacerts.resolve("root-key.pem"));
        issue(
                "ca-key.pem",
                "ca-cert.pem",
                "CN=Leaf",
                "basicConstraints=critical,CA:FALSE\n",
                "root-cert.pem",
                "root-key.pem");
        Files.delete(cacerts.resolve("cert-chain.pem"));
        Files.delete(cacerts.resolve("root-key.pem"));
        assertTrue(refusal().contains("CN=Leaf is no authority's: expected CA:TRUE"));
    }

    @Test
    void refusesAPathThatIsTooLong() throws Exception {
        Files.move(folder.resolve("root-key.pem"), cacerts.resolve("root-key.pem"));
        issue(
                "ca-key.pem",
                "ca-cert.pem",
                "CN=Upper",
                "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n",
                "root-cert.pem",
                "root-key.pem");
        Files.move(cacerts.resolve("ca-cert.pem"), cacerts.resolve("upper.pem"), StandardCopyOption.REPLACE_EXISTING);
        Files.move(cacerts.resolve("ca-key.pem"), cacerts.resolve("upper-key.pem"));
        key("ca-key.pem");
        issue("ca-key.pem", "ca-cert.pem", "CN=Lower", CA, "upper.pem", "upper-key.pem");
        Files.copy(
                cacerts.resolve("upper.pem"), cacerts.resolve("cert-chain.pem"), StandardCopyOption.REPLACE_EXISTING);
        Files.delete(cacerts.resolve("root-key.pem"));
        assertTrue(refusal().contains("CN=Upper allows 0 authorities below it, there are 1"));
    }

    @Test
    void refusesWhatHasExpired() {
        Lab.Clock later = new Lab.Clock();
        later.pass(Duration.ofDays(21));
        assertTrue(String.valueOf(assertThrows(UnusableCertificateException.class, () -> Lab.open(options(), later))
                        .getMessage())
                .contains("expired at"));
    }

    @Test
    void saysWhichFileIsMissing() throws Exception {
        for (String name : List.of("root-cert.pem", "ca-cert.pem", "ca-key.pem")) {
            Path away = Files.move(cacerts.resolve(name), folder.resolve("away"));
            assertEquals(cacerts.resolve(name) + ": there is no such file", refusal());
            Files.move(away, cacerts.resolve(name));
        }
    }
}
