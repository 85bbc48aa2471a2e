package dev.tulle.proxy.transport;

import java.util.List;
import javax.net.ssl.X509TrustManager;

/** What a peer's certificate must be. */
public sealed interface TlsTrust {
    /** Anything: who the peer is does not matter. */
    record Anyone() implements TlsTrust {}

    /** Whom this verifies. */
    record By(X509TrustManager verifier) implements TlsTrust {}

    /**
     * Issued by one of these.
     *
     * @param names one of which the certificate must be for; empty for any
     * @param source the file that the authorities came from, for people
     */
    record Issued(Issuers authorities, List<String> names, String source) implements TlsTrust {
        public Issued {
            names = List.copyOf(names);
        }
    }
}
