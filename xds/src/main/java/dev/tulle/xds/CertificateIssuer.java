package dev.tulle.xds;

import java.time.Duration;
import java.util.List;

/** Who decides on certificates and has them signed. Called on virtual threads; may block. */
public interface CertificateIssuer {
    /**
     * Answers a request.
     *
     * @param asker who asks
     * @param csr a request for a key's certificate (PKCS #10), as PEM
     * @param life how long the certificate should hold; zero for as long as it may
     * @param identity whose it should be; empty for the asker's own
     */
    Answer create(Asker asker, String csr, Duration life, String identity);

    /** What comes of a request. */
    sealed interface Answer {
        /**
         * It is signed.
         *
         * @param chain texts of PEM: the certificate, each that is above it but the root, and all roots in one
         */
        record Issued(List<String> chain) implements Answer {
            public Issued {
                chain = List.copyOf(chain);
            }
        }

        /**
         * It is not.
         *
         * @param why of what kind the reason is
         * @param reason a sentence: who, what, what would be expected
         */
        record Refused(Why why, String reason) implements Answer {}
    }

    /** Kinds of reasons. */
    enum Why {
        /** The request cannot be read, or its key is not one that is signed. */
        INVALID,
        /** The asker may not have this certificate. */
        FORBIDDEN,
        /** The asker has asked too often. */
        TOO_OFTEN,
        /** The authority cannot sign now. */
        FAILED
    }
}
