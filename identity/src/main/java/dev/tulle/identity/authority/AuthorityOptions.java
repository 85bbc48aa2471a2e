package dev.tulle.identity.authority;

import dev.tulle.common.pki.SpiffeId;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * How an authority runs.
 *
 * @param folder where its keys and what it remembers are; made when it is not there
 * @param pluggedIn a folder in the layout of Istio's {@code cacerts} whose keys sign instead of own ones; default none
 * @param passphraseFile a file whose first line own keys are encrypted with, and those of {@code pluggedIn} may be;
 *     default none
 * @param trustDomain the naming root of all identities; default {@code cluster.local}
 * @param leafLife how long a leaf holds at most; a minute to 90 days, default a day
 * @param rootLife how long an own root holds; at least eight times {@code leafLife}, default 10 years of 365 days
 * @param keys of what kind own keys are; default ECDSA on P-256
 */
public record AuthorityOptions(
        Path folder,
        Optional<Path> pluggedIn,
        Optional<Path> passphraseFile,
        String trustDomain,
        Duration leafLife,
        Duration rootLife,
        KeyKind keys) {
    /** The shortest life of a leaf. */
    public static final Duration SHORTEST_LEAF = Duration.ofMinutes(1);

    /** The longest life of a leaf. */
    public static final Duration LONGEST_LEAF = Duration.ofDays(90);

    private static final int LEAVES_IN_A_ROOT = 8;

    public AuthorityOptions {
        SpiffeId unused = new SpiffeId(trustDomain, "");
        if (leafLife.compareTo(SHORTEST_LEAF) < 0 || leafLife.compareTo(LONGEST_LEAF) > 0) {
            throw new IllegalArgumentException("the life of a certificate: found " + leafLife + ", expected "
                    + SHORTEST_LEAF + " to " + LONGEST_LEAF + " in " + unused);
        }
        if (rootLife.compareTo(leafLife.multipliedBy(LEAVES_IN_A_ROOT)) < 0) {
            throw new IllegalArgumentException("the life of a root: found " + rootLife + ", expected at least "
                    + LEAVES_IN_A_ROOT + " times that of a certificate, " + leafLife);
        }
    }

    /** The defaults, in a folder. */
    public static AuthorityOptions of(Path folder) {
        return new AuthorityOptions(
                folder,
                Optional.empty(),
                Optional.empty(),
                "cluster.local",
                Duration.ofDays(1),
                Duration.ofDays(3650),
                KeyKind.P256);
    }

    /** The same with other lives. */
    public AuthorityOptions withLives(Duration leaf, Duration root) {
        return new AuthorityOptions(folder, pluggedIn, passphraseFile, trustDomain, leaf, root, keys);
    }

    /** The same with a plugged-in authority. */
    public AuthorityOptions withPluggedIn(Path cacerts) {
        return new AuthorityOptions(
                folder, Optional.of(cacerts), passphraseFile, trustDomain, leafLife, rootLife, keys);
    }

    /** The same with a passphrase. */
    public AuthorityOptions withPassphraseFile(Path file) {
        return new AuthorityOptions(folder, pluggedIn, Optional.of(file), trustDomain, leafLife, rootLife, keys);
    }
}
