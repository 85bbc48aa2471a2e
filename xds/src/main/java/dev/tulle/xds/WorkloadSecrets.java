package dev.tulle.xds;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;

/**
 * What the Workload API gives at one moment. Immutable.
 *
 * @param certificates by identity, with their keys
 * @param troubles why there is none for an identity, as far as that is known
 * @param roots of the trust domain
 * @param trustDomain its name
 */
public record WorkloadSecrets(
        Map<SpiffeId, TlsIdentity> certificates,
        Map<SpiffeId, String> troubles,
        List<X509Certificate> roots,
        String trustDomain) {
    public WorkloadSecrets {
        certificates = Map.copyOf(certificates);
        troubles = Map.copyOf(troubles);
        roots = List.copyOf(roots);
    }
}
