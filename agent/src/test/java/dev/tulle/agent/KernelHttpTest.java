package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.tier.Tier;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.TextPattern;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.xds.ResourceType;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Goal: a service that speaks HTTP gets its table, and what the configuration changes reaches it. Needs root. */
class KernelHttpTest {
    private static final String HOST = "web.default.svc.cluster.local";

    @TempDir
    Path dir;

    private static Endpoint endpoint(Started server) {
        return new Endpoint(server.address(), 9080, 1, true, "web", "default");
    }

    private static AuthorizationPolicy policy(AuthorizationPolicy.Action action, String path) {
        AuthorizationPolicy.Operation operation = new AuthorizationPolicy.Operation(
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(TextPattern.parse(path)),
                List.of());
        return new AuthorizationPolicy(
                "default/p",
                AuthorizationPolicy.Scope.NAMESPACE,
                action,
                List.of(new AuthorizationPolicy.Rule(List.of(), List.of(operation), List.of())),
                ResourceRef.DEFAULT);
    }

    private static JsonObject port(MeshHost host) throws Exception {
        return host.object("paths", "{}").getAsJsonArray("ports").get(0).getAsJsonObject();
    }

    private static Route route(String name, String path, List<RouteFilter> filters) {
        return new Route(
                name,
                new RouteMatch(new PathMatch.Prefix(path), false, Optional.empty(), List.of(), List.of()),
                new RouteAction.Forward(
                        List.of(new WeightedCluster(Cluster.nameOf(9080, "", HOST), 1)),
                        Duration.ZERO,
                        RetryPolicy.DEFAULT,
                        RouteAction.Rewrite.NONE,
                        List.of()),
                filters,
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
    }

    /** A request whose route is the proxy's goes there although the port is served by the kernel. */
    private static void explainsByRoute(MeshHost host) throws Exception {
        FaultInjection abort =
                new FaultInjection(Optional.empty(), Optional.of(new FaultInjection.Abort(500, 1_000_000)));
        String table = HOST + ":9080";
        host.control.put(
                ResourceType.ROUTE,
                table,
                new RouteConfiguration(
                        table,
                        List.of(new VirtualHost(
                                table,
                                List.of("*"),
                                List.of(route("broken", "/broken", List.of(abort)), route("rest", "/", List.of()))))));
        MeshHost.eventually(
                "two routes", () -> port(host).getAsJsonArray("routes").size() == 2);
        for (String name : List.of("broken", "rest", "")) {
            JsonObject path = host.object(
                    "explain-path", "{'from':'web','address':'240.242.0.8','port':9080,'route':'" + name + "'}");
            String expected = name.equals("broken") ? "proxy" : "kernel-http";
            assertEquals(expected, path.get("path").getAsString(), path.toString());
            assertEquals(!name.equals("rest"), path.get("reason").getAsString().contains("injects a fault"));
        }
    }

    @Test
    void aServiceGetsItsTable() throws Exception {
        try (MeshHost host = new MeshHost(dir, Optional.of(Tier.SPLICE));
                NodeAgent agent = host.start()) {
            assertEquals(Tier.SPLICE, agent.tier());
            assertTrue(host.object("status", "{}")
                    .getAsJsonObject("kernelHttp")
                    .get("on")
                    .getAsBoolean());
            Started server = host.run("{'name':'web','service':'web','ports':['http:9080']}", "sleep", "60");
            host.control.http("web", "240.242.0.8", 9080, List.of(endpoint(server)), List.of());
            host.run("{'name':'look'}", "getent", "hosts", "web").result();
            JsonObject path = host.object("explain-path", "{'from':'web','address':'240.242.0.8','port':9080}");
            assertEquals("kernel-http", path.get("path").getAsString(), path.toString());
            assertEquals("kernel-http", port(host).get("path").getAsString());
            explainsByRoute(host);

            // A policy that the kernel can prove, then one that it cannot.
            host.control.http(
                    "web",
                    "240.242.0.8",
                    9080,
                    List.of(endpoint(server)),
                    List.of(policy(AuthorizationPolicy.Action.ALLOW, "/a/*")));
            MeshHost.eventually(
                    "still the kernel's",
                    () -> port(host).get("path").getAsString().equals("kernel-http"));
            host.control.http(
                    "web",
                    "240.242.0.8",
                    9080,
                    List.of(endpoint(server)),
                    List.of(policy(AuthorizationPolicy.Action.ALLOW, "*.html")));
            MeshHost.eventually(
                    "the proxy's",
                    () -> port(host).get("reasonCode").getAsString().equals("NEEDS_POLICY"));
            // An endpoint elsewhere.
            host.control.http(
                    "web",
                    "240.242.0.8",
                    9080,
                    List.of(new Endpoint("100.80.9.10", 9080, 1, true, "far", "default")),
                    List.of());
            MeshHost.eventually(
                    "elsewhere",
                    () -> port(host).get("reasonCode").getAsString().equals("NEEDS_MTLS"));
            assertEquals("proxy", port(host).get("path").getAsString());
        }
    }
}
