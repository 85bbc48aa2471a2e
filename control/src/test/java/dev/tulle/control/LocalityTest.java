package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Candidates;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Locality;
import dev.tulle.model.Workload;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Goal: what a node says of its place reaches the endpoints of its workloads and decides what clients on it use. Method: two
 * nodes that register, a client on each, over the wire.
 */
class LocalityTest {
    private static final String CLUSTER = "outbound|9080||reviews.default.svc.cluster.local";

    private static final String NEAREST = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: reviews}
        spec: {host: reviews, trafficPolicy: {loadBalancer: {localityLbSetting: {}}}}
        """;

    private static final String SPREAD = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: reviews}
        spec:
          host: reviews
          trafficPolicy:
            loadBalancer:
              localityLbSetting: {distribute: [{from: r/*, to: {r/z2: 25, q: 75}}]}
        """;

    @TempDir
    private Path directory = Path.of("");

    @Test
    void clientsUseWhatIsNearestToTheirNode() throws Exception {
        ControlOptions options =
                ControlOptions.of(directory, directory.resolve("control.sock")).withHttpPort(0);
        Files.createDirectories(options.places().config());
        Files.writeString(options.places().config().resolve("nearest.yaml"), NEAREST);
        try (ControlPlane plane = ControlPlane.start(options);
                RegistrationClient n1 = node(plane, "n1", "r/z1");
                RegistrationClient n2 = node(plane, "n2", "r/z2");
                XdsClient proxy1 = XdsClients.connect(
                        new XdsClientOptions(plane.options().places().xdsSocket(), "n1", "proxy"));
                XdsClient proxy2 = XdsClients.connect(
                        new XdsClientOptions(plane.options().places().xdsSocket(), "n2", "proxy"))) {
            Seen seen1 = new Seen(proxy1);
            Seen seen2 = new Seen(proxy2);
            register(n1, "a", Map.of());
            register(n1, "elsewhere", Map.of(Locality.LABEL, "q.z"));
            register(n2, "b", Map.of());
            seen1.await(Set.of("a"));
            seen2.await(Set.of("b"));
            assertEquals(
                    Set.of("a r/z1", "b r/z2", "elsewhere q/z"),
                    places(Objects.requireNonNull(
                            plane.view().state().endpoints().get(CLUSTER))));
            Workload elsewhere =
                    Objects.requireNonNull(plane.view().state().workloads().get("n1/default/elsewhere"));
            assertEquals(Locality.parse("q/z"), elsewhere.locality());

            String explained = explain(plane, "a");
            assertTrue(explained.contains("the nearest endpoints: the caller's node is in r/z1"), explained);
            assertTrue(explained.contains("(a) in r/z1"), explained);
            assertTrue(!explained.contains("(b)") && !explained.contains("(elsewhere)"), explained);

            n1.deregister("n1/default/a");
            seen1.await(Set.of("b"));
            n2.health("n2/default/b", false);
            seen1.await(Set.of("elsewhere"));
            seen2.await(Set.of("elsewhere"));

            n2.health("n2/default/b", true);
            // In one step: an empty file that lasts is a configuration too, in which both endpoints are seen as well.
            Path next = Files.writeString(directory.resolve("next.yaml"), SPREAD);
            Files.move(next, options.places().config().resolve("nearest.yaml"), StandardCopyOption.ATOMIC_MOVE);
            seen1.await(Set.of("b", "elsewhere"));
            String spread = explain(plane, "elsewhere");
            assertTrue(spread.contains("(b) in r/z2, weight 1 of 4"), spread);
            assertTrue(spread.contains("(elsewhere) in q/z, weight 3 of 4"), spread);

            RegistrationAnswer refused = n1.register(workload(n1, "bad", Map.of(Locality.LABEL, "a.b.c.d")))
                    .get(20, TimeUnit.SECONDS);
            String reason =
                    assertInstanceOf(RegistrationAnswer.Refused.class, refused).reason();
            assertTrue(reason.contains("label istio-locality: locality 'a/b/c/d': expected"), reason);
        }
    }

    private static Set<String> places(EndpointSet set) {
        Set<String> places = new TreeSet<>();
        set.endpoints().forEach(endpoint -> places.add(endpoint.workload() + " " + endpoint.locality()));
        return places;
    }

    private static String explain(ControlPlane plane, String from) throws ApiFailure {
        JsonObject params = new JsonObject();
        params.addProperty("from", from);
        params.addProperty("to", "http://reviews:9080/");
        return Explainer.explain(plane.view().state(), EndedWorkloads.NONE, params)
                .toString();
    }

    private static RegistrationClient node(ControlPlane plane, String name, String place) {
        return XdsClients.register(
                new RegistrationOptions(plane.options().places().xdsSocket(), name, "", Locality.parse(place)),
                new RegistrationClient.Listener() {
                    @Override
                    public void onLease(NodeLease lease) {}

                    @Override
                    public void onTrouble(String reason) {}
                });
    }

    private static void register(RegistrationClient node, String name, Map<String, String> labels) throws Exception {
        RegistrationAnswer answer = node.register(workload(node, name, labels)).get(20, TimeUnit.SECONDS);
        assertInstanceOf(RegistrationAnswer.Accepted.class, answer, answer.toString());
    }

    private static WorkloadRegistration workload(RegistrationClient node, String name, Map<String, String> labels)
            throws InterruptedException {
        for (int i = 0; i < 1000 && node.status().lease().isEmpty(); i++) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        String prefix = node.status().lease().orElseThrow().prefix();
        String address = prefix.substring(0, prefix.lastIndexOf('.') + 1) + (10 + name.length());
        return new WorkloadRegistration(
                name,
                "default",
                "reviews",
                List.of(address),
                labels,
                List.of("reviews"),
                List.of(new Workload.WorkloadPort(9080, AppProtocol.HTTP)),
                true);
    }

    /** The endpoints that a client would use. */
    private static final class Seen implements ResourceWatcher<EndpointSet> {
        private final BlockingQueue<Set<String>> used = new LinkedBlockingQueue<>();

        Seen(XdsClient client) {
            var _ = client.watch(ResourceType.ENDPOINTS, CLUSTER, this);
        }

        @Override
        public void onChanged(EndpointSet set) {
            Set<String> names = new TreeSet<>();
            Candidates.of(set.endpoints()).stream().map(Endpoint::workload).forEach(names::add);
            used.add(names);
        }

        @Override
        public void onAbsent() {}

        @Override
        public void onTrouble(String reason) {}

        void await(Set<String> expected) throws InterruptedException {
            Set<String> last = Set.of();
            for (Set<String> next = last; next != null; next = used.poll(20, TimeUnit.SECONDS)) {
                last = next;
                if (last.equals(expected)) {
                    return;
                }
            }
            throw new AssertionError("expected " + expected + ", the last was " + last);
        }
    }
}
