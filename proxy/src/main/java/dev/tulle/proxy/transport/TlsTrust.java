package dev.tulle.proxy.transport;

import java.security.cert.X509Certificate;
import java.util.List;

/** What a peer's certificate must be. */
public sealed interface TlsTrust {
    /** Anything: who the peer is does not matter. */
    record Anyone() implements TlsTrust {}

    /**
     * Issued by one of these.
     *
     * @param authorities never empty
     * @param names one of which the certificate must be for; empty for any
     * @param source the file that the authorities came from, for people
     */
    record Issued(List<X509Certificate> authorities, List<String> names, String source) implements TlsTrust {
        public Issued {
            authorities = List.copyOf(authorities);
            names = List.copyOf(names);
            if (authorities.isEmpty()) {
                throw new IllegalArgumentException(source + ": nobody is trusted");
            }
        }
    }
}
