package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two groups have a kind called Gateway: the local API shows both, and changes none for the other. */
class TwoGatewaysTest {
    private static final String ISTIO = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
            """;

    private static final String OWN = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec: {gatewayClassName: tulle, listeners: [{name: http, port: 81, protocol: HTTP}]}
            """;

    private static final String ROUTE = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: shop}
            spec: {parentRefs: [{name: front}, {name: back}], rules: [{backendRefs: [{name: web, port: 80}]}]}
            """;

    private static final String NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: blue}\n";

    @TempDir
    private Path directory = Path.of("");

    private ControlOptions options = ControlOptions.defaults();
    private ControlPlane plane;

    // The lifecycle method below sets it before any test runs.
    @SuppressWarnings("NullAway.Init")
    TwoGatewaysTest() {}

    @BeforeEach
    void start() throws Exception {
        options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withTimes(Duration.ofSeconds(30), Duration.ofSeconds(3));
        plane = ControlPlane.start(options);
    }

    @AfterEach
    void stop() {
        plane.close();
    }

    private JsonObject call(String method, Map<String, String> params) throws Exception {
        JsonObject request = new JsonObject();
        request.addProperty("method", method);
        JsonObject given = new JsonObject();
        params.forEach(given::addProperty);
        request.add("params", given);
        try (LocalApiClient client = LocalApiClient.connect(options.places().socket())) {
            return JsonParser.parseString(client.call(request.toString())).getAsJsonObject();
        }
    }

    private JsonObject done(String method, Map<String, String> params) throws Exception {
        JsonObject answer = call(method, params);
        assertTrue(answer.get("ok").getAsBoolean(), answer.toString());
        return answer.getAsJsonObject("result");
    }

    private void apply(String... texts) throws Exception {
        done("apply", Map.of("content", String.join("---\n", texts), "origin", "-", "wait", "false"));
    }

    private List<String> kinds(String kind) throws Exception {
        List<String> all = new ArrayList<>();
        done("get", Map.of("kind", kind)).getAsJsonArray("resources").forEach(resource -> {
            JsonObject shown = resource.getAsJsonObject();
            all.add(shown.get("kind").getAsString() + " " + shown.get("name").getAsString());
        });
        return all;
    }

    @Test
    void bothAreShownAndEachIsFoundByItsGroup() throws Exception {
        apply(ISTIO, OWN);
        assertEquals(List.of("Gateway front", "Gateway.gateway.networking.k8s.io front"), kinds("Gateway"));
        assertEquals(List.of("Gateway front"), kinds("Gateway.networking.istio.io"));
        assertEquals(List.of("Gateway.gateway.networking.k8s.io front"), kinds("Gateway.gateway.networking.k8s.io"));
    }

    @Test
    void aDeleteThatMeansTwoIsRefusedAndOneThatMeansOneIsNot() throws Exception {
        apply(ISTIO, OWN);
        JsonObject error =
                call("delete", Map.of("kind", "Gateway", "name", "front")).getAsJsonObject("error");
        assertEquals("ambiguous", error.get("code").getAsString());
        String message = error.get("message").getAsString();
        assertTrue(
                message.contains("Gateway default/front")
                        && message.contains("Gateway.gateway.networking.k8s.io default/front"),
                message);
        JsonObject deleted = done(
                "delete", Map.of("kind", "Gateway.gateway.networking.k8s.io", "name", "front", "timeoutSeconds", "0"));
        assertEquals(
                "Gateway.gateway.networking.k8s.io default/front",
                deleted.get("deleted").getAsString());
        assertEquals(List.of("Gateway front"), kinds("Gateway"));
        apply(OWN);
        done("delete", Map.of("kind", "Gateway.networking.istio.io", "name", "front", "timeoutSeconds", "0"));
        assertEquals(List.of("Gateway.gateway.networking.k8s.io front"), kinds("Gateway"));
        // There is only one left: the kind alone names it.
        done("delete", Map.of("kind", "Gateway", "name", "front", "timeoutSeconds", "0"));
        assertEquals(List.of(), kinds("Gateway"));
    }

    @Test
    void whatIsInNoNamespaceIsFoundAndDeletedWhicheverIsNamed() throws Exception {
        apply(NAMESPACE);
        assertEquals(List.of("Namespace blue"), kinds("Namespace"));
        assertEquals(
                1,
                done("get", Map.of("kind", "Namespace", "namespace", "default"))
                        .getAsJsonArray("resources")
                        .size());
        done("delete", Map.of("kind", "Namespace", "namespace", "default", "name", "blue", "timeoutSeconds", "0"));
        assertEquals(List.of(), kinds("Namespace"));
    }

    @Test
    void conditionsAreShown() throws Exception {
        apply(OWN, ROUTE);
        JsonObject gateway = done("get", Map.of("kind", "Gateway"))
                .getAsJsonArray("resources")
                .get(0)
                .getAsJsonObject()
                .getAsJsonObject("status");
        JsonObject listener = gateway.getAsJsonArray("listeners").get(0).getAsJsonObject();
        assertEquals(1, listener.get("attachedRoutes").getAsInt());
        String parents = done("get", Map.of("kind", "HTTPRoute"))
                .getAsJsonArray("resources")
                .get(0)
                .getAsJsonObject()
                .getAsJsonObject("status")
                .getAsJsonArray("parents")
                .toString();
        assertTrue(parents.contains("NoMatchingParent") && parents.contains("BackendNotFound"), parents);
    }
}
