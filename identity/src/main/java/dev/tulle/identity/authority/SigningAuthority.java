package dev.tulle.identity.authority;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Something that signs: a certificate of an authority with its key, and what leads from it to a root. Immutable.
 *
 * @param issuer whose key signs: an intermediate, or the root itself where there is none
 * @param key of the issuer
 * @param above the certificates between issuer and root, in order, without the root
 * @param roots the root that the issuer stands under, followed by others that its owner wants trusted as well
 * @param rootKey of the first root; absent where it is kept elsewhere
 * @param cross the first root's name and key, signed by the root before it; absent where there was none, or without its key
 */
record SigningAuthority(
        X509Certificate issuer,
        PrivateKey key,
        List<X509Certificate> above,
        List<X509Certificate> roots,
        Optional<PrivateKey> rootKey,
        Optional<X509Certificate> cross) {
    SigningAuthority {
        above = List.copyOf(above);
        roots = List.copyOf(roots);
        if (roots.isEmpty()) {
            throw new IllegalArgumentException("an authority without a root");
        }
    }

    /** The root that the issuer stands under. */
    X509Certificate root() {
        return roots.getFirst();
    }

    /** What a leaf is sent with: the issuer and what is above it, without the root. */
    List<X509Certificate> sent() {
        if (issuer.equals(root())) {
            return List.of();
        }
        List<X509Certificate> chain = new ArrayList<>();
        chain.add(issuer);
        chain.addAll(above);
        return List.copyOf(chain);
    }

    /** The same for whoever may know only the root before this one. */
    List<X509Certificate> sentAcross() {
        List<X509Certificate> chain = new ArrayList<>(sent());
        cross.ifPresent(chain::add);
        return List.copyOf(chain);
    }

    /** When the first of the certificates ends that a leaf needs: none is signed for longer. */
    Instant end() {
        return Stream.concat(Stream.of(issuer, root()), above.stream())
                .map(certificate -> certificate.getNotAfter().toInstant())
                .min(Instant::compareTo)
                .orElseThrow();
    }

    /** From when on all of them hold. */
    Instant begin() {
        return Stream.concat(Stream.of(issuer, root()), above.stream())
                .map(certificate -> certificate.getNotBefore().toInstant())
                .max(Instant::compareTo)
                .orElseThrow();
    }

    /** Without the keys. */
    @Override
    public String toString() {
        return issuer.getSubjectX500Principal().getName() + " until " + end();
    }
}
