package dev.tulle.control;

import dev.tulle.control.authority.CertificateCounts;
import dev.tulle.identity.authority.AuthorityStatus;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.telemetry.Counter;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.xds.CertificateIssuer.Why;
import java.time.Instant;
import java.util.function.Function;

/** What the authority does, under the names of istiod's metrics. */
final class CertificateMetrics implements CertificateCounts {
    private final Counter asked;
    private final Counter issued;
    private final Counter invalid;
    private final Counter forbidden;
    private final Counter tooOften;
    private final Counter failed;

    CertificateMetrics(MetricRegistry registry, CertificateAuthority authority) {
        asked = registry.counter("citadel_server_csr_count", "Requests for certificates.")
                .with();
        issued = registry.counter("citadel_server_success_cert_issuance_count", "Certificates given away.")
                .with();
        invalid = registry.counter(
                        "citadel_server_csr_parsing_err_count",
                        "Requests that could not be read, or had a key that is not signed.")
                .with();
        forbidden = registry.counter(
                        "citadel_server_authentication_failure_count",
                        "Requests for certificates that the asker may not have.")
                .with();
        tooOften = registry.counter("tulle_certificate_requests_limited", "Requests of nodes that ask too often.")
                .with();
        failed = registry.counter("citadel_server_csr_sign_err_count", "Requests that could not be signed.")
                .with();
        gauge(
                registry,
                authority,
                "citadel_server_root_cert_expiry_timestamp",
                "When the root that signs ends.",
                root -> root.end());
        gauge(
                registry,
                authority,
                "citadel_server_cert_chain_expiry_timestamp",
                "When the chain of the issuer that signs ends.",
                root -> root.issuerEnd());
        registry.gauge("tulle_certificates_living", "Certificates that have not ended.", () -> authority
                .status()
                .living());
        registry.gauge(
                "tulle_certificates_revoked",
                "Certificates that are revoked and have not ended.",
                () -> authority.status().revoked().size());
        registry.gauge(
                "tulle_roots_trusted",
                "Roots that are to be trusted: two while one takes the place of the other.",
                () -> authority.status().roots().size());
    }

    private static void gauge(
            MetricRegistry registry,
            CertificateAuthority authority,
            String name,
            String help,
            Function<AuthorityStatus.Root, Instant> end) {
        registry.gauge(name, help, () -> end.apply(authority.status().roots().getFirst())
                .getEpochSecond());
    }

    @Override
    public void asked() {
        asked.increment();
    }

    @Override
    public void issued() {
        issued.increment();
    }

    @Override
    public void refused(Why why) {
        switch (why) {
            case INVALID -> invalid.increment();
            case FORBIDDEN -> forbidden.increment();
            case TOO_OFTEN -> tooOften.increment();
            case FAILED -> failed.increment();
        }
    }
}
