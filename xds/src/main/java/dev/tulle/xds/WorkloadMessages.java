package dev.tulle.xds;

import com.google.protobuf.ByteString;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.xds.WorkloadStream.Material;
import dev.tulle.xds.proto.spiffe.X509BundlesResponse;
import dev.tulle.xds.proto.spiffe.X509SVID;
import dev.tulle.xds.proto.spiffe.X509SVIDResponse;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.List;

/** The answers of the Workload API, each of them everything that there is. */
final class WorkloadMessages {
    private WorkloadMessages() {}

    /** A certificate with its key and whom to trust. */
    static X509SVIDResponse certificate(Material material) {
        TlsIdentity held = material.certificate();
        if (held == null) {
            throw new IllegalArgumentException("an answer without a certificate");
        }
        return X509SVIDResponse.newBuilder()
                .addSvids(X509SVID.newBuilder()
                        .setSpiffeId(material.identity().toString())
                        .setX509Svid(der(held.chain()))
                        .setX509SvidKey(ByteString.copyFrom(held.key().getEncoded()))
                        .setBundle(der(material.roots())))
                .build();
    }

    /** Whom to trust. */
    static X509BundlesResponse bundles(Material material, String trustDomain) {
        return X509BundlesResponse.newBuilder()
                .putBundles("spiffe://" + trustDomain, der(material.roots()))
                .build();
    }

    private static ByteString der(List<X509Certificate> certificates) {
        ByteString all = ByteString.EMPTY;
        try {
            for (X509Certificate certificate : certificates) {
                all = all.concat(ByteString.copyFrom(certificate.getEncoded()));
            }
        } catch (CertificateEncodingException e) {
            throw new IllegalStateException("a certificate that was read cannot be written", e);
        }
        return all;
    }
}
