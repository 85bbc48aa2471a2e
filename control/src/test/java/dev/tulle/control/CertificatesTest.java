package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.common.LocalApiClient;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.identity.request.CsrMaker;
import dev.tulle.model.Locality;
import dev.tulle.xds.CertificateClient;
import dev.tulle.xds.ControlAddress;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.Trust;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClients;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.cert.X509CRL;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The authority as a part of the control plane: over its sockets, with a node that registers a workload. */
class CertificatesTest {
    private static final SpiffeId REVIEWS = SpiffeId.workload("cluster.local", "default", "reviews");

    @TempDir
    private Path directory = Path.of("");

    private ControlOptions options = ControlOptions.defaults();
    private ControlPlane plane;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    CertificatesTest() {}

    @BeforeEach
    void start() throws IOException {
        options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withTimes(Duration.ofSeconds(30), Duration.ofSeconds(3));
        plane = ControlPlane.start(options);
    }

    @AfterEach
    void stop() {
        plane.close();
    }

    private CertificateClient.Signed ask(SpiffeId identity) throws IOException {
        return new CertificateClient(ControlAddress.of(options.places().xdsSocket()))
                .sign(identity, CsrMaker.pem(CsrMaker.newKey()));
    }

    private JsonObject call(String method, String which) throws IOException {
        JsonObject params = new JsonObject();
        params.addProperty("which", which);
        JsonObject call = new JsonObject();
        call.addProperty("method", method);
        call.add("params", params);
        try (LocalApiClient client = LocalApiClient.connect(options.places().socket(), Duration.ofSeconds(20))) {
            return com.google.gson.JsonParser.parseString(client.call(call.toString()))
                    .getAsJsonObject();
        }
    }

    /** What a node is told of whom to believe. */
    private static final class Told implements RegistrationClient.Listener {
        private final BlockingQueue<Trust> trusts = new LinkedBlockingQueue<>();

        @Override
        public void onLease(NodeLease lease) {}

        @Override
        public void onTrust(Trust trust) {
            trusts.add(trust);
        }

        @Override
        public void onTrouble(String reason) {}

        /** The first from now on that is as expected. */
        Trust trust(Predicate<Trust> expected) throws InterruptedException {
            while (true) {
                Trust trust = trusts.poll(30, TimeUnit.SECONDS);
                assertNotNull(trust, "the node is not told");
                if (expected.test(trust)) {
                    return trust;
                }
            }
        }
    }

    private RegistrationClient node(Told told) {
        return XdsClients.register(
                new RegistrationOptions(ControlAddress.of(options.places().xdsSocket()), "n1", "", Locality.NONE, ""),
                told);
    }

    private static void registerReviews(RegistrationClient node) {
        RegistrationAnswer answer = node.register(new WorkloadRegistration(
                        "reviews-1", "default", "reviews", List.of(), Map.of(), List.of(), List.of(), true))
                .join();
        assertInstanceOf(RegistrationAnswer.Accepted.class, answer, answer.toString());
    }

    @Test
    void givesCertificatesForWhatIsRegisteredAndCountsThem() throws Exception {
        assertTrue(String.valueOf(
                        assertThrows(IOException.class, () -> ask(REVIEWS)).getMessage())
                .contains("asks for a certificate for " + REVIEWS
                        + ", expected a node, its proxies, or a workload that a node has registered"));
        try (RegistrationClient node = node(new Told())) {
            registerReviews(node);
            CertificateClient.Signed signed = ask(REVIEWS);
            assertEquals(REVIEWS, SpiffeId.of(signed.chain().getFirst()));
            assertEquals(1, signed.roots().size());
            assertEquals(
                    SpiffeId.proxy("cluster.local", "n1"),
                    SpiffeId.of(
                            ask(SpiffeId.proxy("cluster.local", "n1")).chain().getFirst()));
            assertThrows(IOException.class, () -> ask(SpiffeId.node("cluster.local", "n2")));
            String metrics = HttpClient.newHttpClient()
                    .send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + plane.httpPort() + "/metrics"))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString())
                    .body();
            long end = signed.roots().getFirst().getNotAfter().toInstant().getEpochSecond();
            for (String line : List.of(
                    "citadel_server_csr_count 4",
                    "citadel_server_success_cert_issuance_count 2",
                    "citadel_server_authentication_failure_count 2",
                    "citadel_server_root_cert_expiry_timestamp " + end)) {
                assertTrue(metrics.contains("\n" + line + "\n"), () -> line + " is not in\n" + metrics);
            }
        }
    }

    @Test
    void aNodeIsToldWhomToBelieveAndWhoIsRevoked() throws Exception {
        Told told = new Told();
        try (RegistrationClient node = node(told)) {
            registerReviews(node);
            CertificateClient.Signed signed = ask(REVIEWS);
            assertEquals(signed.roots(), told.trust(_ -> true).roots());
            JsonObject revoked = call("certificate-revoke", "ns/default/sa/reviews");
            assertTrue(revoked.get("ok").getAsBoolean(), revoked.toString());
            Trust trust = told.trust(one -> isRevoked(one, signed));
            assertEquals(1, trust.revoked().size());
            assertEquals(
                    "not-found",
                    call("certificate-revoke", "ns/default/sa/reviews")
                            .getAsJsonObject("error")
                            .get("code")
                            .getAsString());
            assertFalse(isRevoked(trust, ask(REVIEWS)));
        }
    }

    private static boolean isRevoked(Trust trust, CertificateClient.Signed signed) {
        for (X509CRL list : trust.revoked()) {
            if (list.isRevoked(signed.chain().getFirst())) {
                return true;
            }
        }
        return false;
    }

    @Test
    void aRootIsReplacedWhenEveryNodeSaysThatItBelievesTheNewOne() throws Exception {
        Told told = new Told();
        try (RegistrationClient node = node(told)) {
            registerReviews(node);
            Trust before = told.trust(_ -> true);
            node.trusts(before.fingerprints());
            assertTrue(call("certificate-rotate", "").get("ok").getAsBoolean());
            Trust both = told.trust(trust -> trust.roots().size() == 2);
            assertTrue(both.fingerprints().containsAll(before.fingerprints()));
            JsonObject status = call("certificates", "").getAsJsonObject("result");
            assertEquals("ANNOUNCING", phase(status));
            assertEquals(
                    before.roots().getFirst(), ask(REVIEWS).roots().getFirst(), "signed below the old root until then");
            JsonObject twice = call("certificate-rotate", "");
            assertFalse(twice.get("ok").getAsBoolean(), twice.toString());

            node.trusts(both.fingerprints());
            Trust next = told.trust(
                    trust -> !trust.roots().getFirst().equals(before.roots().getFirst()));
            assertEquals(Set.copyOf(both.roots()), Set.copyOf(next.roots()));
            CertificateClient.Signed signed = ask(REVIEWS);
            assertEquals(next.roots().getFirst(), signed.roots().getFirst());
            // Sent with the new root signed by the old one, which who only knows that one believes.
            assertEquals(3, signed.chain().size());
            signed.chain().getLast().verify(before.roots().getFirst().getPublicKey());
            assertEquals("REPLACING", phase(call("certificates", "").getAsJsonObject("result")));
        }
    }

    private static String phase(JsonObject status) {
        return status.getAsJsonObject("rotation").get("phase").getAsString();
    }
}
