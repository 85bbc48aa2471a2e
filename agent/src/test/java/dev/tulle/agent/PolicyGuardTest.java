package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.tier.Tier;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Scope;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.Endpoint;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.TextPattern;
import dev.tulle.xds.ResourceType;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The kernel enforces what policies say of TCP connections between workloads of the host. Needs root. */
class PolicyGuardTest extends MeshHostTest {
    /** There is no proxy in these tests: a connection to its port waits for one, for as long as the agent holds it so. */
    private static final Set<String> NO_PROXY = Set.of("TimeoutError", "ConnectionResetError");

    private static final String DB = "testnode/default/db";

    private static final String SERVER = """
            import socket
            s = socket.create_server(("0.0.0.0", 5432), backlog=64)
            while True:
                c, _ = s.accept(); c.sendall(b"hello"); c.close()
            """;

    /** Prints what it got, or the name of the error. */
    private static final String CLIENT = """
            import socket, sys
            try:
                with socket.create_connection((sys.argv[1], 5432), 5) as c: print(c.recv(100).decode() or "closed")
            except OSError as e: print(type(e).__name__)
            """;

    private static AuthorizationPolicy policy(String name, Action action, String account) {
        Source source = new Source(
                List.of(new TextPattern.Exact("cluster.local/ns/default/sa/" + account)),
                List.of(),
                List.of(),
                List.of());
        return new AuthorizationPolicy(
                name,
                Scope.NAMESPACE,
                action,
                List.of(new Rule(List.of(source), List.of(), List.of())),
                ResourceRef.DEFAULT);
    }

    private String call(String account, String to) throws Exception {
        return host().run(
                        "{'name':'c-" + account + "','serviceAccount':'" + account + "'}", "python3", "-c", CLIENT, to)
                .result();
    }

    private Started server() throws Exception {
        Started server = host().run("{'name':'db','service':'db','ports':['tcp:5432']}", "python3", "-c", SERVER);
        MeshHost.listening(server.address(), 5432);
        host().control
                .policed(
                        "db",
                        "240.242.0.20",
                        5432,
                        List.of(new Endpoint(server.address(), 5432, 1, true, "db", "default")));
        return server;
    }

    private JsonObject path(String from, String address) throws IOException {
        return host().object("explain-path", "{'from':'" + from + "','address':'" + address + "','port':5432}");
    }

    private static String metrics() throws IOException {
        try (var in = URI.create("http://127.0.0.1:24020/metrics").toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void policiesAreEnforcedByTheKernelAndOutliveTheAgent() throws Exception {
        Started server;
        Started waits;
        Path step = dir.resolve("step");
        try (NodeAgent agent = host().start()) {
            assertEquals(Tier.SPLICE, agent.tier());
            server = server();
            waits = host().run(
                            "{'name':'waits','serviceAccount':'reader'}",
                            "/bin/sh",
                            "-c",
                            "while ! test -e \"$0\"; do sleep 0.1; done; exec python3 -c \"$1\" \"$2\"",
                            step.toString(),
                            CLIENT,
                            server.address());
            host().run("{'name':'reader','serviceAccount':'reader'}", "sleep", "300");
            host().run("{'name':'writer','serviceAccount':'writer'}", "sleep", "300");
            assertEquals("hello", call("writer", "db"));

            host().control
                    .put(
                            ResourceType.AUTHORIZATION,
                            "default/readers",
                            policy("default/readers", Action.ALLOW, "reader"));
            host().control.guard(DB, List.of("default/readers"));
            MeshHost.eventually("it is enforced", () -> call("writer", "db").equals("ConnectionRefusedError"));
            for (String to : List.of("db", server.address())) {
                assertEquals("hello", call("reader", to));
                assertEquals("ConnectionRefusedError", call("writer", to));
            }
            assertEquals("kernel", path("reader", "240.242.0.20").get("path").getAsString());
            assertEquals("direct", path("reader", server.address()).get("path").getAsString());
            JsonObject refused = path("writer", "240.242.0.20");
            assertEquals("refused", refused.get("path").getAsString());
            assertEquals("GUARD_POLICY", refused.get("reasonCode").getAsString());
            assertTrue(
                    refused.get("reason").getAsString().contains("no rule of the ALLOW policy default/readers matches"),
                    refused.toString());
            assertTrue(host().call("flows", "{}").toString().contains("GUARD_POLICY"));

            host().control.put(ResourceType.AUTHORIZATION, "default/no", policy("default/no", Action.DENY, "reader"));
            host().control.guard(DB, List.of("default/no", "default/readers"));
            MeshHost.eventually("the other is", () -> call("reader", "db").equals("ConnectionRefusedError"));
            MeshHost.eventually(
                    "refusals are counted by policy",
                    () -> metrics().contains("tulle_kernel_policy_denied_total{policy=\"default/no\"}")
                            && metrics().contains("tulle_kernel_policy_denied_total{policy=\"none\"}"));
            host().control.guard(DB, List.of("default/readers"));
            MeshHost.eventually("it may again", () -> call("reader", "db").equals("hello"));
        }
        // Without the control plane the next agent leaves it as it is; of new workloads nothing is known, and here
        // is no proxy to ask.
        host().control.connected(false);
        host().control.remove(ResourceType.WORKLOAD, DB);
        try (NodeAgent next = host().start()) {
            assertEquals(Tier.SPLICE, next.tier());
            Files.createFile(step);
            assertEquals("hello", waits.result());
            assertTrue(NO_PROXY.contains(call("reader", server.address())));
            assertTrue(NO_PROXY.contains(call("writer", server.address())));
            host().control.connected(true);
            host().control.guard(DB, List.of("default/readers"));
            MeshHost.eventually(
                    "it is known again", () -> call("reader", server.address()).equals("hello"));
            assertEquals("ConnectionRefusedError", call("writer", server.address()));
            host().control.guard(DB, List.of());
            MeshHost.eventually(
                    "nobody guards it", () -> call("writer", server.address()).equals("hello"));
        }
    }

    @Test
    void whatIsNotKnownIsTheProxys() throws Exception {
        try (NodeAgent agent = host().start()) {
            assertEquals(Tier.SPLICE, agent.tier());
            Started server = server();
            host().run("{'name':'reader','serviceAccount':'reader'}", "sleep", "300");
            assertEquals("hello", call("reader", "db"));
            host().control.guard(DB, List.of("default/unheard-of"));
            MeshHost.eventually("the proxy is asked", () -> path("reader", "240.242.0.20")
                    .get("path")
                    .getAsString()
                    .equals("proxy"));
            assertTrue(NO_PROXY.contains(call("reader", "db")));
            assertTrue(NO_PROXY.contains(call("reader", server.address())));
            host().control
                    .put(
                            ResourceType.AUTHORIZATION,
                            "default/unheard-of",
                            policy("default/unheard-of", Action.ALLOW, "reader"));
            MeshHost.eventually("it has come", () -> call("reader", "db").equals("hello"));

            // An endpoint that is said to be another workload has other policies.
            host().control
                    .policed(
                            "db",
                            "240.242.0.20",
                            5432,
                            List.of(new Endpoint(server.address(), 5432, 1, true, "other", "default")));
            MeshHost.eventually("its policies are the proxy's", () -> path("reader", "240.242.0.20")
                    .get("reasonCode")
                    .getAsString()
                    .equals("NEEDS_POLICY"));
        }
    }
}
