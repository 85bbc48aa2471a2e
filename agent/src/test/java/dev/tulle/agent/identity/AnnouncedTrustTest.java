package dev.tulle.agent.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.xds.Trust;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An announcement of roots is answered when it is in force everywhere, and not before. */
class AnnouncedTrustTest {
    @TempDir
    private Path folder;

    private final List<Set<String>> answers = new ArrayList<>();
    private List<X509Certificate> believed = List.of();
    private List<X509Certificate> inForce = List.of();

    private X509Certificate root(String name) throws Exception {
        try (TestAuthority authority = new TestAuthority(folder.resolve(name), InstantSource.system())) {
            return authority.roots().getFirst();
        }
    }

    private AnnouncedTrust.Node node() {
        return new AnnouncedTrust.Node(roots -> believed = roots, () -> inForce, answers::add);
    }

    @Test
    void isAnsweredWhenItIsInForce() throws Exception {
        X509Certificate one = root("one");
        X509Certificate two = root("two");
        AnnouncedTrust announced = new AnnouncedTrust();
        announced.follow(node());
        Trust both = new Trust(List.of(one, two), List.of());
        announced.told(both);
        assertEquals(both.roots(), believed);
        inForce = List.of(one);
        announced.look();
        assertEquals(List.of(), answers);
        inForce = List.of(two, one);
        announced.look();
        announced.look();
        assertEquals(List.of(both.fingerprints()), answers);
        // Said again after each connect: the control plane may have been another process.
        announced.told(both);
        assertEquals(List.of(both.fingerprints(), both.fingerprints()), answers);
    }

    @Test
    void whatWasSaidEarlyIsMadeUpFor() throws Exception {
        AnnouncedTrust announced = new AnnouncedTrust();
        Trust trust = new Trust(List.of(root("one")), List.of());
        announced.told(trust);
        announced.look();
        inForce = trust.roots();
        announced.follow(node());
        assertEquals(List.of(trust.fingerprints()), answers);
    }
}
