package dev.tulle.identity.authority;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;

/**
 * What the authority gives to whoever asked.
 *
 * @param chain the leaf, followed by what is shown with it in handshakes; without a root
 * @param roots what to believe others by: all that are in force, the leaf's own not always among the first
 */
public record IssuedCertificate(List<X509Certificate> chain, List<X509Certificate> roots) {
    public IssuedCertificate {
        chain = List.copyOf(chain);
        roots = List.copyOf(roots);
    }

    /** The certificate that was asked for. */
    public X509Certificate leaf() {
        return chain.getFirst();
    }

    /** When it ends. */
    public Instant end() {
        return leaf().getNotAfter().toInstant();
    }

    /** Certificates as PEM, one after the other. */
    public static String pem(List<X509Certificate> certificates) {
        StringWriter text = new StringWriter();
        try (PemWriter writer = new PemWriter(text)) {
            for (X509Certificate certificate : certificates) {
                writer.writeObject(new PemObject("CERTIFICATE", certificate.getEncoded()));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was read can be written", e);
        }
        return text.toString();
    }
}
