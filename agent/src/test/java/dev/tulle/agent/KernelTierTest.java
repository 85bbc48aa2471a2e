package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.tier.Tier;
import dev.tulle.model.Endpoint;
import dev.tulle.model.PortPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The kernel tiers with real programs and real processes on this host; needs root. */
class KernelTierTest extends MeshHostTest {
    private static final String SERVER = """
            import http.server, os, sys
            class H(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    body = (sys.argv[1] + " for " + self.client_address[0] + "\\n").encode()
                    self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
                    self.wfile.write(body)
                def log_message(self, *a): pass
            http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[2])), H).serve_forever()
            """;
    private static final String JAVA_SERVER = """
            import com.sun.net.httpserver.HttpServer;
            import java.net.InetSocketAddress;
            public class Server {
                public static void main(String[] args) throws Exception {
                    HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(args[1])), 16);
                    server.createContext("/", exchange -> {
                        byte[] body = (args[0] + " for " + exchange.getRemoteAddress().getAddress().getHostAddress() + "\\n").getBytes();
                        exchange.sendResponseHeaders(200, body.length);
                        exchange.getResponseBody().write(body);
                        exchange.close();
                    });
                    server.start();
                }
            }
            """;
    /** Stands for the node proxy: answers each connection with what the client dialled and where it came from. */
    private static final String PROXY = """
            import socket, struct, sys
            u = socket.socket(socket.AF_UNIX); u.connect(sys.argv[2])
            while fds := socket.recv_fds(u, 1, 1)[1]:
                s = socket.socket(fileno=fds[0]); s.setblocking(True)
                if s.getsockname() == ("127.0.0.1", int(sys.argv[1])): break
            print("ready", flush=True)
            while True:
                c, a = s.accept()
                o = c.getsockopt(0, 80, 16)
                dialled = socket.inet_ntoa(o[4:8]) + ":" + str(struct.unpack("!H", o[2:4])[0])
                c.recv(65536)
                body = ("proxy: " + dialled + " from " + a[0] + "\\n").encode()
                c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: " + str(len(body)).encode() + b"\\r\\nConnection: close\\r\\n\\r\\n" + body)
                c.close()
            """;

    @BeforeEach
    void writePrograms() throws IOException {
        Files.writeString(dir.resolve("server.py"), SERVER);
        Files.writeString(dir.resolve("Server.java"), JAVA_SERVER);
        Files.writeString(dir.resolve("proxy.py"), PROXY);
    }

    private Started server(String name, int port) throws IOException {
        return host().run(
                        "{'name':'" + name + "','service':'" + name + "','ports':['tcp:" + port + "']}",
                        "python3",
                        dir.resolve("server.py").toString(),
                        name,
                        Integer.toString(port));
    }

    private String curl(String name, String url) throws Exception {
        return host().run("{'name':'" + name + "'}", "curl", "-sS", "--max-time", "8", url)
                .result();
    }

    @Test
    void twoServersOnOnePortAnswerByNameFromAThird() throws Exception {
        long start = System.nanoTime();
        try (NodeAgent agent = host().start()) {
            System.out.println("agent started in " + (System.nanoTime() - start) / 1_000_000 + " ms");
            assertEquals(Tier.SPLICE, agent.tier());
            Started python = server("reviews", 9080);
            Started java = host().run(
                            "{'name':'ratings','service':'ratings','ports':['tcp:9080']}",
                            Path.of(System.getProperty("java.home"), "bin/java").toString(),
                            dir.resolve("Server.java").toString(),
                            "ratings",
                            "9080");
            assertNotEquals(python.address(), java.address());
            host().control
                    .service(
                            "reviews",
                            "240.242.0.1",
                            9080,
                            PortPath.Path.KERNEL_L4,
                            List.of(new Endpoint(python.address(), 9080, 1, true, "reviews", "default")));
            host().control
                    .service(
                            "ratings",
                            "240.242.0.2",
                            9080,
                            PortPath.Path.KERNEL_L4,
                            List.of(new Endpoint(java.address(), 9080, 1, true, "ratings", "default")));
            MeshHost.listening(python.address(), 9080);
            MeshHost.listening(java.address(), 9080);
            assertEquals("reviews for 100.80.3.12", curl("c", "http://reviews:9080/"));
            assertEquals("ratings for 100.80.3.12", curl("c", "http://ratings.default.svc.cluster.local:9080/"));
            assertEquals("ratings for 100.80.3.12", curl("c", "http://" + java.address() + ":9080/"));

            // Outside the mesh the same address is refused, with a reason.
            Path output = dir.resolve("outside.txt");
            Process outside =
                    host().outside(output, "curl", "-sS", "--max-time", "5", "http://" + python.address() + ":9080/");
            assertNotEquals(0, outside.waitFor(), Files.readString(output));
            MeshHost.eventually(
                    "the refusal is reported",
                    () -> host().call("flows", "{}").toString().contains("GUARD_HOST"));

            JsonObject status = host().object("status", "{}");
            assertEquals("splice", status.get("tier").getAsString());
            assertTrue(status.getAsJsonObject("counters").get("CONNECT_KERNEL").getAsLong() >= 2, status.toString());
            assertTrue(status.getAsJsonObject("counters").get("GUARD_HOST").getAsLong() >= 1, status.toString());
        }
    }

    @Test
    void theProxyGetsWhatItMustServeAndAPermitLetsTheHostIn() throws Exception {
        try (NodeAgent agent = host().start()) {
            Path out = dir.resolve("proxy.txt");
            Process proxy = host().outside(
                            out,
                            "/bin/sh",
                            "-c",
                            "echo $$ > " + host().cgroups.directory("/tulle-agenttest/proxy")
                                    + "/cgroup.procs && exec python3 " + dir.resolve("proxy.py") + " "
                                    + MeshHost.OUTBOUND + " "
                                    + host().options.runDirectory().resolve("listen.sock"));
            MeshHost.eventually(
                    "the proxy has its socket", () -> Files.readString(out).contains("ready"));
            host().control.service("details", "240.242.0.3", 9080, PortPath.Path.PROXY, List.of());
            assertEquals("proxy: 240.242.0.3:9080 from 100.80.3.10", curl("c", "http://details:9080/"));
            assertTrue(proxy.isAlive());
            Started open = host().run(
                            "{'name':'open','ports':['9081'],'permit':['host:9081']}",
                            "python3",
                            dir.resolve("server.py").toString(),
                            "open",
                            "9081");
            MeshHost.listening(open.address(), 9081);
            Path output = dir.resolve("permitted.txt");
            Process permitted =
                    host().outside(output, "curl", "-sS", "--max-time", "5", "http://" + open.address() + ":9081/");
            assertEquals(0, permitted.waitFor(), Files.readString(output));
            assertEquals("open for 100.80.3.1", Files.readString(output).strip());
            JsonObject path = host().object("explain-path", "{'from':'open','address':'240.242.0.3','port':9080}");
            assertEquals("proxy", path.get("path").getAsString());
            assertEquals("NEEDS_HTTP", path.get("reasonCode").getAsString());
        }
    }

    @Test
    void captureOutlivesTheAgentAndTheNextOneTakesOver() throws Exception {
        Started server;
        Started client;
        Path step = dir.resolve("step");
        try (NodeAgent agent = host().start()) {
            assertEquals(Tier.SPLICE, agent.tier());
            server = server("reviews", 9080);
            host().control
                    .service(
                            "reviews",
                            "240.242.0.1",
                            9080,
                            PortPath.Path.KERNEL_L4,
                            List.of(new Endpoint(server.address(), 9080, 1, true, "reviews", "default")));
            MeshHost.listening(server.address(), 9080);
            assertEquals("reviews for 100.80.3.11", curl("c", "http://reviews:9080/"));
            // A workload that waits: it connects while no agent runs.
            client = host().run(
                            "{'name':'waits'}",
                            "/bin/sh",
                            "-c",
                            "while ! test -e " + step
                                    + "; do sleep 0.1; done; exec curl -sS --max-time 8 http://240.242.0.1:9080/");
            MeshHost.eventually(
                    "it runs", () -> host().call("workloads", "{}").toString().contains("\"running\""));
        }
        Files.createFile(step);
        assertEquals("reviews for " + client.address(), client.result());
        host().control.connected(false);
        try (NodeAgent next = host().start()) {
            assertEquals(Tier.SPLICE, next.tier());
            // The server is still enrolled with its address; the client has left. Names are still known.
            assertEquals(
                    server.address(), host().workload("reviews").get("address").getAsString());
            assertEquals("reviews for 100.80.3.11", curl("c", "http://reviews:9080/"));
            JsonObject status = host().object("status", "{}");
            assertEquals(1, status.get("services").getAsInt());
            host().control.connected(true);
        }
        AgentOptions redirect = new MeshHost(dir, Optional.of(Tier.REDIRECT)).options;
        try (NodeAgent other = NodeAgent.start(redirect, host().control)) {
            assertEquals(Tier.REDIRECT, other.tier());
            long spliced = host().counter("SPLICE_BYTES");
            assertEquals("reviews for 100.80.3.11", curl("c", "http://reviews:9080/"));
            assertEquals(spliced, host().counter("SPLICE_BYTES"));
        }
    }

    @Test
    void aRunningProcessJoinsAndProbesDecideReadiness() throws Exception {
        try (NodeAgent agent = host().start()) {
            assertEquals(Tier.SPLICE, agent.tier());
            Path out = dir.resolve("running.txt");
            Process running =
                    host().outside(out, "python3", dir.resolve("server.py").toString(), "old", "9091");
            MeshHost.listening("0.0.0.0", 9091);
            JsonObject lease = host().object(
                            "run",
                            "{'name':'old','service':'old','ports':['9091'],'pid':" + running.pid()
                                    + ",'probes':['http:9091/','tcp']}");
            String address = lease.get("address").getAsString();
            MeshHost.eventually(
                    "ready",
                    () -> host().control.announced("testnode/default/old").healthy());
            assertEquals("old for 100.80.3.11", curl("c", "http://" + address + ":9091/"));
            assertTrue(running.isAlive());
            Started exec = host().run(
                            "{'name':'e','ports':['9092'],'probes':[{'exec':{'command':['test','-e','"
                                    + dir.resolve("ready") + "']},'periodMillis':50}]}",
                            "sleep",
                            "30");
            assertEquals(false, host().control.announced("testnode/default/e").healthy());
            Files.createFile(dir.resolve("ready"));
            MeshHost.eventually(
                    "ready",
                    () -> host().control.announced("testnode/default/e").healthy());
            Files.delete(dir.resolve("ready"));
            MeshHost.eventually(
                    "unready",
                    () -> !host().control.announced("testnode/default/e").healthy());
            exec.process().destroyForcibly();
            MeshHost.eventually("gone", () -> !host().control.registered.containsKey("testnode/default/e"));
            // A released workload goes on outside the mesh.
            host().call("release", "{'name':'old'}");
            assertTrue(running.isAlive());
            IOException unknown = assertThrows(IOException.class, () -> host().call("release", "{'name':'old'}"));
            assertTrue(String.valueOf(unknown.getMessage()).contains("is not enrolled"));
        }
    }
}
