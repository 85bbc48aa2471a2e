package dev.tulle.model;

/**
 * What one side of a mutually authenticated connection needs and a node's agent gives to its proxy over SDS. Texts are PEM.
 * No value shows a private key as text, whoever prints it.
 */
public sealed interface Secret {
    /** The name of the certificates that everybody in the mesh trusts, as Istio has it. */
    String ROOTS = "ROOTCA";

    /** What it is asked for by: an identity, or {@link #ROOTS}. */
    String name();

    /**
     * A certificate with its private key.
     *
     * @param name the identity that it proves, {@code spiffe://…}
     * @param chain the certificate, followed by those of its issuers but the root
     * @param key its private key, as PKCS #8; secret
     */
    record IdentityCertificate(String name, String chain, String key) implements Secret {
        /** Without the key. */
        @Override
        public String toString() {
            return "certificate of " + name;
        }
    }

    /**
     * Certificates of authorities: a peer whose chain ends at one of them is who it says it is.
     *
     * @param name {@link #ROOTS}
     * @param certificates one or more
     */
    record TrustedRoots(String name, String certificates) implements Secret {
        @Override
        public String toString() {
            return "roots " + name;
        }
    }
}
