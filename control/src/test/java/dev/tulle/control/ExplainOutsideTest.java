package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code explain} says of callers outside the mesh at its gateway. */
class ExplainOutsideTest {
    private static final String CONFIGURATION = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              servers:
              - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['shop.example.com'], tls: {httpsRedirect: true}}
              - port: {number: 443, name: https, protocol: HTTPS}
                hosts: ['shop.example.com']
                tls: {mode: SIMPLE, serverCertificate: /etc/shop.pem, privateKey: /etc/shop.key}
              - {port: {number: 443, name: pass, protocol: TLS}, hosts: ['db.example.com'], tls: {mode: PASSTHROUGH}}
              - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop}
            spec:
              hosts: ['shop.example.com', 'db.example.com']
              gateways: [front]
              http:
              - match: [{uri: {prefix: /api}}]
                route: [{destination: {host: web}}]
              tls:
              - match: [{port: 443, sniHosts: ['db.example.com']}]
                route: [{destination: {host: web}}]
              tcp:
              - match: [{port: 9000}]
                route: [{destination: {host: web}}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
            """;

    @TempDir
    private Path directory = Path.of("");

    private static JsonObject call(ControlOptions options, String method, JsonObject params) throws Exception {
        JsonObject request = new JsonObject();
        request.addProperty("method", method);
        request.add("params", params);
        try (LocalApiClient client = LocalApiClient.connect(options.places().socket())) {
            JsonObject answer =
                    JsonParser.parseString(client.call(request.toString())).getAsJsonObject();
            assertTrue(answer.get("ok").getAsBoolean(), answer.toString());
            return answer.getAsJsonObject("result");
        }
    }

    private String explain(String to) throws Exception {
        ControlOptions options = ControlOptions.of(directory, directory.resolve("control.sock"))
                .withHttpPort(0)
                .withTimes(Duration.ofSeconds(30), Duration.ofSeconds(3));
        try (ControlPlane _ = ControlPlane.start(options)) {
            JsonObject apply = new JsonObject();
            apply.addProperty("content", CONFIGURATION);
            apply.addProperty("origin", "test.yaml");
            call(options, "apply", apply);
            JsonObject params = new JsonObject();
            params.addProperty("from", "outside");
            params.addProperty("to", to);
            return StreamSupport.stream(
                            call(options, "explain", params)
                                    .getAsJsonArray("steps")
                                    .spliterator(),
                            false)
                    .map(JsonElement::getAsJsonObject)
                    .map(step -> step.get("step").getAsString() + ": "
                            + step.get("decision").getAsString())
                    .collect(Collectors.joining("\n"));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "https://shop.example.com/api/x | gateway: port 443, for shop.example.com, certificate /etc/shop.pem,",
                "https://shop.example.com/api/x | cluster: outbound",
                "https://shop.example.com/other | route: 404",
                "http://shop.example.com/api    | https",
                "https://db.example.com/        | gateway: port 443, for db.example.com: TLS passes through",
                "https://db.example.com/        | cluster: outbound",
                "https://other.example.com/     | gateway: nothing serves other.example.com at port 443: its callers get no",
                "http://shop.example.com:443/   | gateway: port 443 speaks TLS: ask with https",
                "https://shop.example.com:80/   | gateway: port 80 speaks no TLS: ask with http",
                "http://shop.example.com:81/    | gateway: no Gateway serves port 81",
                "shop.example.com:9000          | gateway: port 9000: bytes",
            })
    void names(String to, String expected) throws Exception {
        String said = explain(to);
        assertTrue(said.contains(expected), said);
        assertTrue(said.startsWith("caller: outside the mesh"), said);
    }

    @Test
    void isOrdinaryWithoutAGateway() throws Exception {
        assertEquals(
                "caller: outside the mesh: it has no identity\ngateway: no Gateway serves port 8080",
                explain("http://web:8080/"));
    }
}
