package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The gateway with real programs, told by Gateway API's objects. */
@Tag("e2e")
class GatewayApiTest {
    private static String gateway(int port, int bytes) {
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: tulle
              allowedListeners: {namespaces: {from: Same}}
              listeners:
              - {name: all, port: %1$d, protocol: HTTP}
              - {name: shop, port: %1$d, protocol: HTTP, hostname: "*.example.com"}
              - {name: bytes, port: %2$d, protocol: TCP}
            """.formatted(port, bytes);
    }

    private static final String ROUTES = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: shop}
            spec:
              parentRefs: [{name: front, sectionName: shop}]
              hostnames: [shop.example.com]
              rules:
              - matches: [{path: {value: /public}}]
                backendRefs: [{name: web, port: 9080}]
              - matches: [{path: {value: /moved}}]
                filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org}}]
              - matches: [{path: {value: /nowhere}}]
                backendRefs: [{name: nobody, port: 80}]
              - matches: [{path: {value: /other}}]
                backendRefs: [{name: web, namespace: other, port: 80}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: rest}
            spec:
              parentRefs: [{name: front, sectionName: all}]
              rules:
              - backendRefs: [{name: web, port: 9080}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: bytes}
            spec:
              parentRefs: [{name: front, sectionName: bytes}]
              rules:
              - backendRefs: [{name: web, port: 9080}]
            """;

    private static String listenerSet(int port) {
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: ListenerSet
            metadata: {name: more}
            spec:
              parentRef: {name: front}
              listeners:
              - {name: extra, port: %d, protocol: HTTP}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: extra}
            spec:
              parentRefs: [{kind: ListenerSet, name: more}]
              rules:
              - backendRefs: [{name: web, port: 9080}]
            """.formatted(port);
    }

    /** The status that curl gets, 000 for no answer, and where it is sent. */
    private static String code(int port, String host, String path, String... more) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                "curl",
                "-s",
                "-o",
                "/dev/null",
                "-m",
                "15",
                "-w",
                "%{http_code} %{redirect_url}",
                "-H",
                "Host: " + host));
        command.addAll(List.of(more));
        command.add("http://127.0.0.1:" + port + path);
        return Command.of(command).run().out().strip();
    }

    @Test
    void listenersRoutesAndTheirStatus() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            GatewayTest.serve(lab);
            int port = GatewayTest.freePort();
            int bytes = GatewayTest.freePort();
            int extra = GatewayTest.freePort();
            lab.apply("routes", ROUTES);
            lab.apply("front", gateway(port, bytes));
            assertEquals("200", code(port, "shop.example.com", "/public/page"));
            assertEquals("200", code(port, "shop.example.com", "/public/page", "--http2-prior-knowledge"));
            assertEquals("404", code(port, "shop.example.com", "/else"));
            assertEquals("404", code(port, "back.example.com", "/public/page"), "no other listener has its routes");
            assertEquals("200", code(port, "example.net", "/public/page"));
            assertEquals("302 http://example.org:" + port + "/moved", code(port, "shop.example.com", "/moved"));
            assertEquals("500", code(port, "shop.example.com", "/nowhere"));
            assertEquals("500", code(port, "shop.example.com", "/other"), "no ReferenceGrant");
            assertEquals("200", code(bytes, "whatever", "/public/page"));

            String shown = lab.tulle("get", "gateway").ok().out();
            assertTrue(
                    shown.contains("listener shop (HTTP " + port
                            + " *.example.com): Accepted, ResolvedRefs, Programmed, 1 attached route\n"),
                    shown);
            String route = lab.tulle("get", "httproute", "shop").ok().out();
            assertTrue(route.contains("Accepted, not ResolvedRefs (BackendNotFound"), route);

            lab.apply("more", listenerSet(extra));
            assertEquals("200", code(extra, "example.net", "/public/page"));
            lab.tulle("delete", "listenerset", "more").ok();
            assertEquals("000", code(extra, "example.net", "/public/page"));
            assertEquals("200", code(port, "example.net", "/public/page"));
            Command.Result deleted = lab.tulle("delete", "gateways.gateway.networking.k8s.io", "front")
                    .ok();
            assertTrue(deleted.out().contains("Gateway.gateway.networking.k8s.io default/front"), deleted.toString());
            assertEquals("000", code(port, "shop.example.com", "/public/page"));
        }
    }
}
