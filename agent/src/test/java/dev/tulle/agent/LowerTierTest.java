package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.tier.Tier;
import dev.tulle.model.PortPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tiers without programs in the kernel, on this host; needs root. */
class LowerTierTest {
    /** Answers each connection with what the client dialled, then waits a little so that it can be looked up. */
    private static final String PROXY = """
            import json, socket, struct, sys
            def taken(run, port):
                u = socket.socket(socket.AF_UNIX); u.connect(run.replace("node.sock", "listen.sock"))
                while fds := socket.recv_fds(u, 1, 1)[1]:
                    s = socket.socket(fileno=fds[0]); s.setblocking(True)
                    if s.getsockname() == ("127.0.0.1", port): return s
            def whois(remote, local, dialled):
                s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[2])
                params = {"remote": remote, "local": local, "dialled": dialled}
                s.sendall((json.dumps({"method": "whois", "params": params}) + "\\n").encode())
                return json.loads(s.makefile().readline())["result"]["workload"]
            s = taken(sys.argv[2], int(sys.argv[1]))
            print("ready", flush=True)
            while True:
                c, a = s.accept()
                try:
                    o = c.getsockopt(0, 80, 16)
                    dialled = socket.inet_ntoa(o[4:8]) + ":" + str(struct.unpack("!H", o[2:4])[0])
                except OSError:
                    dialled = "%s:%d" % c.getsockname()
                who = whois("%s:%d" % a, "%s:%d" % c.getsockname(), dialled)
                line = c.recv(65536).split(b"\\r\\n")[0].decode()
                body = ("%s dialled %s: %s\\n" % (who, dialled, line)).encode()
                c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: " + str(len(body)).encode() + b"\\r\\nConnection: close\\r\\n\\r\\n" + body)
                c.close()
            """;

    @TempDir
    Path dir;

    private static void startProxy(MeshHost host, Path dir, int port) throws Exception {
        Files.writeString(dir.resolve("proxy.py"), PROXY);
        Path out = dir.resolve("proxy.txt");
        host.outside(
                out,
                "python3",
                dir.resolve("proxy.py").toString(),
                Integer.toString(port),
                host.options.nodeSocket().toString());
        MeshHost.eventually(
                "the proxy has its socket", () -> Files.readString(out).contains("ready"));
    }

    @Test
    void nftablesRedirectsByControlGroupAndTheProxyLearnsTheCaller() throws Exception {
        try (MeshHost host = new MeshHost(dir, Optional.of(Tier.NFTABLES))) {
            NodeAgent.detachAll(host.options);
            try (NodeAgent agent = host.start()) {
                assertEquals(Tier.NFTABLES, agent.tier());
                startProxy(host, dir, MeshHost.OUTBOUND);
                host.control.service("reviews", "240.242.0.1", 9080, PortPath.Path.PROXY, List.of());
                Started client =
                        host.run("{'name':'c'}", "curl", "-sS", "--max-time", "8", "http://reviews:9080/reviews/0");
                assertEquals("127.0.0.1", client.address());
                assertEquals("testnode/default/c dialled 240.242.0.1:9080: GET /reviews/0 HTTP/1.1", client.result());

                Started one = host.run("{'name':'one','ports':['http:24100']}", "sleep", "30");
                assertEquals(
                        "24100", one.lease().getAsJsonObject("env").get("PORT").getAsString());
                IOException refused = assertThrows(
                        IOException.class, () -> host.run("{'name':'two','ports':['http:24100']}", "sleep", "30"));
                assertTrue(
                        String.valueOf(refused.getMessage()).contains("port 24100 is taken by workload default/one"));
                assertEquals(
                        List.of("127.0.0.1"),
                        host.control.announced("testnode/default/one").addresses());
                // A process that was not started by the mesh joins as it runs, with its children.
                Process shell = host.outside(
                        dir.resolve("joined.txt"),
                        "/bin/sh",
                        "-c",
                        "while ! test -e " + dir.resolve("go") + "; do sleep 0.1; done; "
                                + "exec curl -sS --max-time 8 http://240.242.0.1:9080/joined");
                JsonObject joined = host.object("run", "{'name':'joined','pid':" + shell.pid() + "}");
                assertTrue(joined.get("cgroup").getAsString().endsWith("/workloads/joined"));
                Files.createFile(dir.resolve("go"));
                assertEquals(0, shell.waitFor());
                assertEquals(
                        "testnode/default/joined dialled 240.242.0.1:9080: GET /joined HTTP/1.1",
                        Files.readString(dir.resolve("joined.txt")).strip());
            }
            // Without an agent the table stays in force, and detaching works.
            assertTrue(host.traces().contains("nft table"));
            host.close();
            assertEquals(List.of(), host.traces());
        }
    }

    /**
     * Two connections of one source port to two services arrive at one port of the proxy, so connection tracking gives the
     * second another source port: with many short connections that is so for a third of them.
     */
    @Test
    void callersAreKnownWhateverPortTheirConnectionsAreSeenFrom() throws Exception {
        try (MeshHost host = new MeshHost(dir, Optional.of(Tier.NFTABLES))) {
            NodeAgent.detachAll(host.options);
            try (NodeAgent agent = host.start()) {
                assertEquals(Tier.NFTABLES, agent.tier());
                startProxy(host, dir, MeshHost.OUTBOUND);
                host.control.service("reviews", "240.242.0.1", 9080, PortPath.Path.PROXY, List.of());
                String twice = """
                        import socket
                        kept = []
                        for host in ("240.242.0.1", "240.242.0.2"):
                            s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                            s.bind(("127.0.0.1", 24555)); s.settimeout(8); s.connect((host, 9080)); kept.append(s)
                        for s in kept: s.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
                        print(*(s.makefile().read().split("\\n")[-2] for s in kept), sep=", ", end="")""";
                Files.writeString(dir.resolve("twice.py"), twice);
                Started client = host.run(
                        "{'name':'c'}", "python3", dir.resolve("twice.py").toString());
                assertEquals(
                        "testnode/default/c dialled 240.242.0.1:9080: GET / HTTP/1.1, "
                                + "testnode/default/c dialled 240.242.0.2:9080: GET / HTTP/1.1",
                        client.result());
            }
        }
    }

    @Test
    void explicitTellsTheProgramWhereTheProxyIs() throws Exception {
        try (MeshHost host = new MeshHost(dir, Optional.of(Tier.EXPLICIT))) {
            NodeAgent.detachAll(host.options);
            try (NodeAgent agent = host.start()) {
                assertEquals(Tier.EXPLICIT, agent.tier());
                startProxy(host, dir, MeshHost.EXPLICIT);
                Started client =
                        host.run("{'name':'c'}", "curl", "-sS", "--max-time", "8", "http://reviews:9080/reviews/0");
                assertEquals(
                        "testnode/default/c dialled 127.0.0.1:24080: GET http://reviews:9080/reviews/0 HTTP/1.1",
                        client.result());
                assertEquals(
                        JsonParser.parseString("{'path':'untouched'}".replace('\'', '"'))
                                .getAsJsonObject()
                                .get("path"),
                        explain(host).get("path"));
            }
        }
    }

    private static JsonObject explain(MeshHost host) throws IOException {
        host.run("{'name':'d'}", "sleep", "30");
        return host.object("explain-path", "{'from':'d','address':'192.0.2.1','port':80}");
    }
}
