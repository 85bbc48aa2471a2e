package dev.tulle.xds;

import java.security.cert.X509Certificate;
import java.util.List;

/** Decides on nodes that have no certificate yet. Any thread; may block. */
@FunctionalInterface
public interface NodeAdmission {
    /**
     * A node asks for its certificate.
     *
     * @param token as it was given
     * @param node the name that it wants
     * @param csr PKCS #10 in DER, of whose contents only the key counts
     * @param from where it connects from, for people
     */
    Decision join(String token, String node, byte[] csr, String from);

    /** What becomes of it. */
    sealed interface Decision {
        /**
         * It has joined.
         *
         * @param chain the node's own certificate first
         * @param roots those of the mesh
         */
        record Joined(List<X509Certificate> chain, List<X509Certificate> roots) implements Decision {
            public Joined {
                chain = List.copyOf(chain);
                roots = List.copyOf(roots);
            }
        }

        /**
         * It may not.
         *
         * @param reason a sentence for whoever starts the node
         */
        record Refused(String reason) implements Decision {}
    }
}
