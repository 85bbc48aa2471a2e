package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiClient;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClient;
import dev.tulle.xds.XdsClientOptions;
import dev.tulle.xds.XdsClients;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole control plane: files and registrations in, xDS, local API and HTTP out. */
class ControlPlaneTest {
    private static final String ALL_TO_V1 = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: reviews}
            spec:
              hosts: [reviews]
              http:
                - route:
                    - destination: {host: reviews, subset: v1}
            """;

    private static final String SUBSETS = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: reviews}
            spec:
              host: reviews
              subsets:
                - {name: v1, labels: {version: v1}}
                - {name: v2, labels: {version: v2}}
            """;

    private static final String HOST = "reviews.default.svc.cluster.local";

    @TempDir
    private Path directory = Path.of("");

    private ControlOptions options = ControlOptions.defaults();
    private ControlPlane plane;
    private RegistrationClient node;

    // The lifecycle methods below set these before any test runs.
    @SuppressWarnings("NullAway.Init")
    ControlPlaneTest() {}

    @BeforeEach
    void start() throws Exception {
        options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withTimes(Duration.ofSeconds(30), Duration.ofSeconds(3));
        plane = ControlPlane.start(options);
        node = connectNode();
        register("reviews-v1", "100.64.0.2", "v1");
        register("reviews-v2", "100.64.0.3", "v2");
    }

    @AfterEach
    void stop() {
        node.close();
        plane.close();
    }

    @Test
    void anAppliedRouteReachesClientsBeforeApplyReturns() throws Exception {
        try (XdsClient client = connectClient()) {
            Seen<RouteConfiguration> routes = new Seen<>();
            Subscription subscription = client.watch(ResourceType.ROUTE, HOST + ":9080", routes);
            routes.await(table -> subsetOf(table).equals("outbound|9080||" + HOST));
            assertOk(call("apply", Map.of("content", SUBSETS, "origin", "subsets.yaml")));
            for (int i = 0; i < 20; i++) {
                String subset = i % 2 == 0 ? "v1" : "v2";
                JsonObject answer = assertOk(call(
                        "apply",
                        Map.of("content", ALL_TO_V1.replace("subset: v1", "subset: " + subset), "origin", "-")));
                assertTrue(answer.get("synced").getAsBoolean());
                // apply waits for the acknowledgement, so that the client has been told by now
                RouteConfiguration last = routes.latest();
                assertEquals("outbound|9080|" + subset + "|" + HOST, subsetOf(last));
                assertEquals(
                        "VirtualService",
                        last.virtualHosts()
                                .getFirst()
                                .routes()
                                .getFirst()
                                .origin()
                                .kind());
            }
            subscription.close();
        }
    }

    @Test
    void oneWhoCannotBeToldKeepsTheAnswerFromNobodyElse() {
        AtomicInteger told = new AtomicInteger();
        ControlPlane.tell(List.of(
                told::incrementAndGet,
                () -> {
                    throw new IllegalStateException("call already closed");
                },
                told::incrementAndGet));
        assertEquals(2, told.get());
    }

    @Test
    void aWorkloadsNameIsKnownToAllBeforeItsNodeHearsOfIt() throws Exception {
        try (XdsClient client = connectClient()) {
            for (int i = 0; i < 20; i++) {
                String name = "web" + i;
                Seen<Service> service = new Seen<>();
                Subscription subscription = client.watch(
                        ResourceType.SERVICE,
                        ResourceType.nameOfService("default", name + ".default.svc.cluster.local"),
                        service);
                until(() -> service.absences() == 1);
                // So that the next change is not the first one after a quiet time.
                register("reviews-v1", "100.64.0.2", "v" + i);
                WorkloadRegistration web = new WorkloadRegistration(
                        name,
                        "default",
                        "web",
                        List.of("100.64.0." + (10 + i)),
                        Map.of(),
                        List.of(name),
                        List.of(new Workload.WorkloadPort(80, AppProtocol.HTTP)),
                        true);
                var _ = node.register(web).get(20, TimeUnit.SECONDS);
                assertEquals(80, service.latest().ports().getFirst().number());
                subscription.close();
            }
        }
    }

    /** A client that takes nothing holds up no workload for long. */
    @Test
    void aWorkloadDoesNotWaitForAClientThatIsSilent() throws Exception {
        try (XdsClient client = connectClient()) {
            client.acknowledgeThrough(_ -> {});
            Seen<Service> service = new Seen<>();
            Subscription subscription =
                    client.watch(ResourceType.SERVICE, ResourceType.nameOfService("default", HOST), service);
            service.await(known -> true);
            long began = System.nanoTime();
            register("reviews-v3", "100.64.0.4", "v3");
            assertTrue(Duration.ofNanos(System.nanoTime() - began).compareTo(Duration.ofSeconds(5)) < 0);
            subscription.close();
        }
    }

    @Test
    void aBadTextIsRefusedWithItsPlaceAndTheLastGoodOneStays() throws Exception {
        assertOk(call("apply", Map.of("content", SUBSETS + "---\n" + ALL_TO_V1, "origin", "good.yaml")));
        JsonObject refused =
                call("apply", Map.of("content", ALL_TO_V1.replace("subset: v1", "subset: v9"), "origin", "bad.yaml"));
        assertFalse(refused.get("ok").getAsBoolean());
        JsonObject error = refused.getAsJsonObject("error");
        assertEquals("invalid", error.get("code").getAsString());
        JsonObject problem = error.getAsJsonArray("details").get(0).getAsJsonObject();
        assertEquals("bad.yaml", problem.get("file").getAsString());
        assertTrue(problem.get("line").getAsInt() > 0, problem.toString());
        assertTrue(problem.get("field").getAsString().contains("subset"), problem.toString());
        JsonArray routes = ok(call("routes", Map.of())).getAsJsonArray();
        assertTrue(routes.toString().contains("outbound|9080|v1|"), routes.toString());
        JsonObject got = assertOk(call("get", Map.of("kind", "VirtualService", "name", "reviews")));
        assertEquals(1, got.getAsJsonArray("resources").size());
        assertOk(call("delete", Map.of("kind", "VirtualService", "name", "reviews")));
        JsonObject again = call("delete", Map.of("kind", "VirtualService", "name", "reviews"));
        assertEquals("not-found", again.getAsJsonObject("error").get("code").getAsString());
    }

    @Test
    void aRestartKeepsAddressesLeasesAndEveryResource() throws Exception {
        assertOk(call("apply", Map.of("content", SUBSETS + "---\n" + ALL_TO_V1, "origin", "-")));
        try (XdsClient client = connectClient()) {
            Seen<Service> service = new Seen<>();
            Seen<EndpointSet> endpoints = new Seen<>();
            Subscription one = client.watch(ResourceType.SERVICE, "default/" + HOST, service);
            Subscription two = client.watch(ResourceType.ENDPOINTS, "outbound|9080|v1|" + HOST, endpoints);
            String address = service.await(value -> true).addresses().getFirst();
            endpoints.await(set -> set.endpoints().size() == 1);

            plane.close();
            plane = ControlPlane.start(options);
            until(() -> client.status().connected() && plane.isReady());
            until(() -> node.status().connected() && node.status().unanswered() == 0);
            JsonArray services = ok(call("services", Map.of())).getAsJsonArray();
            assertEquals(
                    address,
                    services.get(0)
                            .getAsJsonObject()
                            .getAsJsonArray("addresses")
                            .get(0)
                            .getAsString());
            JsonObject applied =
                    assertOk(call("apply", Map.of("content", ALL_TO_V1.replace("v1}", "v2}"), "origin", "-")));
            assertTrue(applied.get("synced").getAsBoolean());
            assertEquals(0, service.absences(), "nothing was taken away");
            assertEquals(0, endpoints.absences());
            one.close();
            two.close();
        }
    }

    @Test
    void workloadsVanishWhenTheirNodeStaysAway() throws Exception {
        node.close();
        plane.close();
        ControlOptions hasty = options.withTimes(Duration.ofMillis(200), Duration.ofMillis(100));
        plane = ControlPlane.start(hasty);
        node = connectNode();
        register("reviews-v1", "100.64.0.2", "v1");
        until(() -> count("workloads") == 1);
        node.close();
        until(() -> count("workloads") == 0);
    }

    @Test
    void aNodeGetsItsPrefixBackAndAnotherOneGetsAnother() throws Exception {
        assertEquals("100.64.0.0/24", prefix(node));
        RegistrationClient other = XdsClients.register(
                new RegistrationOptions(plane.options().places().xdsSocket(), "n2", "100.64.7.0/24"), new NoListener());
        until(() -> other.status().connected());
        assertEquals("100.64.7.0/24", prefix(other), "what it wants is free");
        other.close();
        node.close();
        plane.close();
        plane = ControlPlane.start(options);
        node = connectNode();
        assertEquals("100.64.0.0/24", prefix(node));
        RegistrationAnswer foreign =
                node.register(workload("x", "100.64.7.2", "v1")).get(20, TimeUnit.SECONDS);
        assertInstanceOf(RegistrationAnswer.Refused.class, foreign, "an address of another node's prefix");
        RegistrationAnswer taken =
                node.register(workload("y", "100.64.0.9", "v1")).get(20, TimeUnit.SECONDS);
        assertInstanceOf(RegistrationAnswer.Accepted.class, taken);
        RegistrationAnswer twice =
                node.register(workload("z", "100.64.0.9", "v1")).get(20, TimeUnit.SECONDS);
        assertInstanceOf(RegistrationAnswer.Refused.class, twice, "an address that another workload has");
    }

    @Test
    void anAppliedPolicyIsFollowedBeforeApplyReturns() throws Exception {
        String policy = """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: readers}
                spec:
                  selector: {matchLabels: {version: v1}}
                  rules:
                  - from: [{source: {principals: ["*/sa/%s"]}}]
                    to: [{operation: {paths: ["/public*"]}}]
                """;
        try (XdsClient client = connectClient()) {
            // As the proxy does: who is told that a policy applies asks for it before anything is acknowledged.
            Seen<AuthorizationPolicy> policies = new Seen<>();
            List<Subscription> followed = new java.util.concurrent.CopyOnWriteArrayList<>();
            Seen<Workload> workloads = new Seen<>() {
                @Override
                public void onChanged(Workload value) {
                    super.onChanged(value);
                    for (String name : value.policies()) {
                        followed.add(client.watch(ResourceType.AUTHORIZATION, name, policies));
                    }
                }
            };
            followed.add(client.watch(ResourceType.WORKLOAD, "/100.64.0.2", workloads));
            workloads.await(workload -> workload.policies().isEmpty());
            assertOk(call("apply", Map.of("content", policy.formatted("reviews"), "origin", "-")));
            assertEquals(List.of("default/readers"), workloads.latest().policies());
            assertEquals(1, policies.latest().rules().size());
            assertOk(call("apply", Map.of("content", policy.formatted("other"), "origin", "-")));
            assertTrue(policies.latest().toString().contains("/sa/other"));

            Map<String, String> params = Map.of("from", "reviews-v2", "to", "http://reviews:9080/public/a");
            JsonObject refused = assertOk(call("explain", params));
            assertTrue(refused.toString().contains("no rule of the ALLOW policy default/readers matches"));
            assertOk(call("apply", Map.of("content", policy.formatted("reviews"), "origin", "-")));
            JsonObject allowed = assertOk(call("explain", params));
            assertTrue(allowed.toString().contains("allowed: rules[0] of ALLOW policy default/readers"));
            assertFalse(allowed.get("refused").getAsBoolean());

            assertOk(call("delete", Map.of("kind", "AuthorizationPolicy", "name", "readers")));
            assertEquals(List.of(), workloads.latest().policies());
            followed.forEach(Subscription::close);
        }
    }

    @Test
    void explainNamesEveryStepAndTheObjectBehindIt() throws Exception {
        assertOk(call("apply", Map.of("content", SUBSETS + "---\n" + ALL_TO_V1, "origin", "-")));
        JsonObject params = new JsonObject();
        params.addProperty("from", "reviews-v2");
        params.addProperty("to", "http://reviews:9080/reviews/1");
        JsonObject explanation = assertOk(call("explain", params));
        String steps = explanation.getAsJsonArray("steps").toString();
        for (String expected : List.of(
                "\"workload\"",
                "\"service\"",
                "\"listener\"",
                "VirtualService default/reviews (",
                ".yaml:",
                "outbound|9080|v1|",
                "100.64.0.2:9080 (reviews-v1)",
                "Registration default/reviews-v1")) {
            assertTrue(steps.contains(expected), expected + " in " + steps);
        }
        assertFalse(explanation.get("refused").getAsBoolean());
        params.addProperty("to", "reviews:1234");
        assertTrue(assertOk(call("explain", params)).get("refused").getAsBoolean());
        params.addProperty("from", "nobody");
        assertEquals(
                "not-found",
                call("explain", params).getAsJsonObject("error").get("code").getAsString());
    }

    @Test
    void explainTakesTheFinalDotAndShowsTimeoutAndRetries() throws Exception {
        String patient =
                ALL_TO_V1 + "      timeout: 1.5s\n      retries: {attempts: 3, perTryTimeout: 400ms, retryOn: 5xx}\n";
        assertOk(call("apply", Map.of("content", SUBSETS + "---\n" + patient, "origin", "-")));
        JsonObject params = new JsonObject();
        params.addProperty("from", "reviews-v2");
        for (String host : List.of("reviews", "reviews.", "reviews.default.", "reviews.default.svc.cluster.local.")) {
            params.addProperty("to", "http://" + host + ":9080/reviews/1");
            JsonObject explanation = assertOk(call("explain", params));
            String steps = explanation.getAsJsonArray("steps").toString();
            assertTrue(steps.contains("outbound|9080|v1|"), host + ": " + steps);
            assertTrue(steps.contains("timeout 1500ms, 3 retries on 5xx, each try at most 400ms"), steps);
        }
        String routes = ok(call("routes", Map.of())).toString();
        assertTrue(routes.contains("3 retries on 5xx"), routes);
    }

    @Test
    void explainKnowsWhoHasEnded() throws Exception {
        node.deregister("n1/default/reviews-v2");
        until(() -> !call("workloads", Map.of()).toString().contains("reviews-v2"));
        JsonObject params = new JsonObject();
        params.addProperty("from", "reviews-v2");
        params.addProperty("to", "http://reviews:9080/");
        JsonObject explanation = assertOk(call("explain", params));
        assertFalse(explanation.get("refused").getAsBoolean(), explanation.toString());
        assertTrue(explanation.get("ended").getAsBoolean(), explanation.toString());
        assertTrue(explanation.toString().contains("; it has ended at "), explanation.toString());
    }

    @Test
    void statusAndMetricsAnswer() throws Exception {
        try (XdsClient client = connectClient()) {
            Seen<RouteConfiguration> routes = new Seen<>();
            Subscription subscription = client.watch(ResourceType.ROUTE, HOST + ":9080", routes);
            routes.await(table -> true);
            JsonObject status = assertOk(call("status", Map.of()));
            assertTrue(status.get("ready").getAsBoolean());
            assertEquals(2, status.get("workloads").getAsInt());
            assertTrue(status.getAsJsonArray("clients").toString().contains("\"rds\""), status.toString());
            assertTrue(status.getAsJsonObject("nodes").has("n1"));
            String metrics = http("/metrics");
            assertTrue(metrics.contains("pilot_xds{version=\"0.1.0\"} 1"), metrics);
            assertTrue(metrics.contains("pilot_xds_pushes{type=\"rds\"}"), metrics);
            assertTrue(metrics.contains("pilot_services 1"), metrics);
            assertEquals("ready\n", http("/ready"));
            for (String hidden : List.of("/debug/syncz", "/debug/configz", "/debug/config_dump")) {
                assertEquals(404, page(hidden).statusCode(), "not for everybody: " + hidden);
            }
            for (String method : List.of("workloads", "endpoints", "clients", "config-dump")) {
                ok(call(method, Map.of()));
            }
            assertEquals(
                    "unknown-method",
                    call("nonsense", Map.of())
                            .getAsJsonObject("error")
                            .get("code")
                            .getAsString());
            subscription.close();
        }
    }

    @Test
    void aFileInTheDirectoryIsSeenAndABrokenOneIsReported() throws Exception {
        Files.writeString(options.places().config().resolve("reviews.yaml"), SUBSETS + "---\n" + ALL_TO_V1);
        until(() -> call("routes", Map.of()).toString().contains("outbound|9080|v1|"));
        Files.writeString(options.places().config().resolve("broken.yaml"), "kind: VirtualService\nspec: [");
        until(() -> call("status", Map.of()).toString().contains("broken.yaml"));
        assertTrue(call("routes", Map.of()).toString().contains("outbound|9080|v1|"));
    }

    private String http(String path) throws Exception {
        HttpResponse<String> response = page(path);
        assertEquals(200, response.statusCode());
        return response.body();
    }

    private HttpResponse<String> page(String path) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + plane.httpPort() + path))
                .build();
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        }
    }

    private static String subsetOf(RouteConfiguration table) {
        RouteAction action = table.virtualHosts().getFirst().routes().getFirst().action();
        return action instanceof RouteAction.Forward forward
                ? forward.clusters().getFirst().cluster()
                : "";
    }

    private int count(String method) {
        return ok(call(method, Map.of())).getAsJsonArray().size();
    }

    private static String prefix(RegistrationClient client) {
        return client.status().lease().map(NodeLease::prefix).orElse("none");
    }

    private RegistrationClient connectNode() throws InterruptedException {
        RegistrationClient client = XdsClients.register(
                new RegistrationOptions(plane.options().places().xdsSocket(), "n1", ""), new NoListener());
        until(() -> client.status().connected());
        return client;
    }

    private XdsClient connectClient() {
        return XdsClients.connect(new XdsClientOptions(plane.options().places().xdsSocket(), "n1", "proxy"));
    }

    private void register(String name, String address, String version) throws Exception {
        RegistrationAnswer answer =
                node.register(workload(name, address, version)).get(20, TimeUnit.SECONDS);
        assertInstanceOf(RegistrationAnswer.Accepted.class, answer, answer.toString());
        assertTrue(call("workloads", Map.of()).toString().contains(name));
    }

    private static WorkloadRegistration workload(String name, String address, String version) {
        return new WorkloadRegistration(
                name,
                "default",
                "reviews",
                List.of(address),
                Map.of("app", "reviews", "version", version),
                List.of("reviews"),
                List.of(new Workload.WorkloadPort(9080, AppProtocol.HTTP)),
                true);
    }

    private JsonObject call(String method, Map<String, String> params) {
        JsonObject object = new JsonObject();
        params.forEach(object::addProperty);
        return call(method, object);
    }

    private JsonObject call(String method, JsonObject params) {
        JsonObject request = new JsonObject();
        request.addProperty("method", method);
        request.add("params", params);
        try (LocalApiClient client = LocalApiClient.connect(options.places().socket())) {
            return JsonParser.parseString(client.call(request.toString())).getAsJsonObject();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static JsonElement ok(JsonObject answer) {
        assertTrue(answer.get("ok").getAsBoolean(), answer.toString());
        return answer.get("result");
    }

    private static JsonObject assertOk(JsonObject answer) {
        return ok(answer).getAsJsonObject();
    }

    /** A condition that may ask the mesh. */
    @FunctionalInterface
    private interface Condition {
        boolean holds();
    }

    private static void until(Condition condition) throws InterruptedException {
        for (int i = 0; i < 1000 && !condition.holds(); i++) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertTrue(condition.holds());
    }

    private static final class NoListener implements RegistrationClient.Listener {
        @Override
        public void onLease(NodeLease lease) {}

        @Override
        public void onTrouble(String reason) {}
    }

    /** Keeps what a watcher is told. */
    private static class Seen<T> implements ResourceWatcher<T> {
        private final BlockingQueue<T> values = new LinkedBlockingQueue<>();
        private final AtomicInteger absences = new AtomicInteger();

        @Override
        public void onChanged(T value) {
            values.add(value);
        }

        @Override
        public void onAbsent() {
            absences.incrementAndGet();
        }

        @Override
        public void onTrouble(String reason) {}

        int absences() {
            return absences.get();
        }

        /** The last value that has come in. */
        T latest() {
            T last = null;
            for (T value = values.poll(); value != null; value = values.poll()) {
                last = value;
            }
            if (last == null) {
                throw new AssertionError("no value came");
            }
            return last;
        }

        T await(Predicate<T> condition) throws InterruptedException {
            while (true) {
                T value = values.poll(20, TimeUnit.SECONDS);
                if (value == null) {
                    throw new AssertionError("no such value came");
                }
                if (condition.test(value)) {
                    return value;
                }
            }
        }
    }
}
