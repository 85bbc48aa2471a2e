package dev.tulle.control.authority;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.authority.AuthorityOptions;
import dev.tulle.identity.authority.CertificateAuthority;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.xds.Asker;
import dev.tulle.xds.CertificateIssuer.Answer;
import dev.tulle.xds.CertificateIssuer.Why;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who gets which certificate: node {@code a} has registered {@code reviews}, node {@code b} has registered {@code ratings}. */
class MeshAuthorityTest {
    private static final String REVIEWS = "spiffe://cluster.local/ns/default/sa/reviews";
    private static final String RATINGS = "spiffe://cluster.local/ns/default/sa/ratings";
    private static final Asker A = new Asker.Node("a");
    private static final Asker ROOT = new Asker.Local();

    @TempDir
    private Path folder;

    private Optional<MeshAuthority> opened = Optional.empty();
    private final List<String> counted = new CopyOnWriteArrayList<>();

    private final class Counts implements CertificateCounts {
        @Override
        public void asked() {
            counted.add("asked");
        }

        @Override
        public void issued() {
            counted.add("issued");
        }

        @Override
        public void refused(Why why) {
            counted.add("refused " + why);
        }
    }

    private static final class TwoNodes implements Holders {
        private static final Map<String, String> AT = Map.of(REVIEWS, "a", RATINGS, "b");

        @Override
        public Optional<String> holder(SpiffeId workload, String node) {
            return Optional.ofNullable(AT.get(workload.toString())).filter(at -> node.isEmpty() || at.equals(node));
        }

        @Override
        public boolean admits(String node) {
            return isNode(node);
        }

        @Override
        public boolean isNode(String name) {
            return AT.containsValue(name);
        }

        @Override
        public Set<String> connected() {
            return Set.of();
        }
    }

    @BeforeEach
    void open() throws IOException {
        CertificateAuthority authority =
                MeshAuthority.open(AuthorityOptions.of(folder.resolve("authority")), InstantSource.system());
        opened = Optional.of(MeshAuthority.start(authority, InstantSource.system(), new TwoNodes(), new Counts()));
    }

    @AfterEach
    void close() throws IOException {
        opened.orElseThrow().close();
    }

    private Answer ask(Asker asker, String identity) {
        return opened.orElseThrow().create(asker, CsrMaker.pem(CsrMaker.newKey()), Duration.ZERO, identity);
    }

    private static List<X509Certificate> read(String pem) throws Exception {
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)))
                .stream()
                .map(X509Certificate.class::cast)
                .toList();
    }

    private void gets(Asker asker, String identity, String expected) throws Exception {
        Answer.Issued issued = assertInstanceOf(Answer.Issued.class, ask(asker, identity));
        assertEquals(3, issued.chain().size());
        X509Certificate leaf = read(issued.chain().get(0)).getFirst();
        X509Certificate issuer = read(issued.chain().get(1)).getFirst();
        List<X509Certificate> roots = read(issued.chain().get(2));
        assertEquals(expected, SpiffeId.of(leaf).toString());
        leaf.verify(issuer.getPublicKey());
        issuer.verify(roots.getFirst().getPublicKey());
    }

    private void getsNone(Asker asker, String identity, Why why, String sentence) {
        Answer.Refused refused = assertInstanceOf(Answer.Refused.class, ask(asker, identity));
        assertEquals(sentence, refused.reason());
        assertEquals(why, refused.why());
    }

    @Test
    void aNodeGetsItsOwnAndThoseOfItsWorkloads() throws Exception {
        gets(A, "", "spiffe://cluster.local/node/a");
        gets(A, "spiffe://cluster.local/node/a", "spiffe://cluster.local/node/a");
        gets(A, "spiffe://cluster.local/node/a/proxy", "spiffe://cluster.local/node/a/proxy");
        gets(A, REVIEWS, REVIEWS);
    }

    @Test
    void aNodeGetsNothingElse() {
        String expected = ", expected itself, its proxies, or a workload that it has registered";
        for (String other : List.of(
                RATINGS,
                "spiffe://cluster.local/ns/default/sa/nobody",
                "spiffe://cluster.local/node/b",
                "spiffe://cluster.local/node/b/proxy",
                "spiffe://cluster.local/control",
                "spiffe://cluster.local",
                "spiffe://cluster.local/anything",
                "spiffe://elsewhere/ns/default/sa/reviews",
                "spiffe://elsewhere/node/a")) {
            getsNone(A, other, Why.FORBIDDEN, "node a asks for a certificate for " + other + expected);
        }
        assertEquals(18, counted.size());
    }

    @Test
    void aNodeThatWasRemovedGetsNotEvenItsOwn() {
        for (String one : List.of("", "spiffe://cluster.local/node/c", "spiffe://cluster.local/node/c/proxy")) {
            getsNone(
                    new Asker.Node("c"),
                    one,
                    Why.FORBIDDEN,
                    "node c asks for a certificate, expected a node that has joined and was not removed");
        }
    }

    @Test
    void rootOfThisHostGetsThoseOfNodesAndRegisteredWorkloads() throws Exception {
        gets(ROOT, RATINGS, RATINGS);
        gets(ROOT, "spiffe://cluster.local/node/b", "spiffe://cluster.local/node/b");
        for (String other : List.of(
                "spiffe://cluster.local/node/c",
                "spiffe://cluster.local/ns/default/sa/nobody",
                "spiffe://cluster.local/control")) {
            getsNone(
                    ROOT,
                    other,
                    Why.FORBIDDEN,
                    "root of this host asks for a certificate for " + other
                            + ", expected a node, its proxies, or a workload that a node has registered");
        }
        getsNone(
                ROOT,
                "",
                Why.INVALID,
                "root of this host asks for a certificate without saying whose: expected ImpersonatedIdentity in the"
                        + " request's metadata");
    }

    @Test
    void whatIsNoIdentityOrNoRequestIsRefused() {
        getsNone(
                A,
                "reviews",
                Why.INVALID,
                "node a asks for a certificate without saying whose: SPIFFE identity: found 'reviews', expected"
                        + " spiffe://TRUST-DOMAIN/PATH");
        Answer.Refused refused = assertInstanceOf(
                Answer.Refused.class, opened.orElseThrow().create(A, "no request", Duration.ZERO, REVIEWS));
        assertEquals(Why.INVALID, refused.why());
        assertTrue(refused.reason().startsWith("node a asks for " + REVIEWS + ": the request is no PEM"));
        assertEquals(List.of("asked", "refused INVALID", "asked", "refused INVALID"), counted);
    }

    @Test
    void aNodeThatAsksTooOftenWaits() {
        RequestRate rate = new RequestRate();
        Instant now = Instant.EPOCH;
        for (int i = 0; i < RequestRate.BURST; i++) {
            assertTrue(rate.admits("a", now));
        }
        assertEquals(false, rate.admits("a", now));
        assertTrue(rate.admits("b", now));
        for (int i = 0; i < RequestRate.PER_SECOND; i++) {
            assertTrue(rate.admits("a", now.plusSeconds(1)));
        }
        assertEquals(false, rate.admits("a", now.plusSeconds(1)));
    }
}
