package dev.tulle.xds;

import dev.tulle.common.pki.TlsIdentity;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.List;

/** An authority of OpenSSL's in a folder, and what it signs. */
final class TestCertificates {
    private final Path folder;
    private int made;

    TestCertificates(Path folder, String name) throws IOException, InterruptedException {
        this.folder = Files.createDirectories(folder.resolve(name));
        openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name
                + " -keyout root.key -out root.pem");
    }

    X509Certificate root() throws Exception {
        return certificate("root.pem");
    }

    /** A new key of an identity, and its certificate. */
    TlsIdentity sign(String identity) throws Exception {
        made++;
        String name = "leaf" + made;
        Files.writeString(
                folder.resolve(name + ".ext"),
                "subjectAltName=URI:" + identity
                        + "\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:false\n");
        openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout " + name + ".pem -out "
                + name + ".csr");
        openssl("x509 -req -in " + name + ".csr -CA root.pem -CAkey root.key -set_serial " + made + " -extfile " + name
                + ".ext -out " + name + ".crt");
        openssl("pkcs8 -topk8 -nocrypt -outform DER -in " + name + ".pem -out " + name + ".der");
        PrivateKey key = KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(folder.resolve(name + ".der"))));
        return new TlsIdentity(List.of(certificate(name + ".crt")), key, identity);
    }

    private X509Certificate certificate(String file) throws Exception {
        try (InputStream in = Files.newInputStream(folder.resolve(file))) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private void openssl(String words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("openssl"));
        command.addAll(List.of(words.split(" ")));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new AssertionError(command + ": " + said);
        }
    }
}
