package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.tier.Tier;
import dev.tulle.model.Endpoint;
import dev.tulle.model.PortPath;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Connections to an endpoint that its service loses, and what is counted of them; needs root. */
class DrainTest extends MeshHostTest {
    /** Answers each line with its name. */
    private static final String SERVER = """
            import socketserver, sys
            class H(socketserver.StreamRequestHandler):
                def handle(self):
                    for _ in self.rfile:
                        self.wfile.write((sys.argv[1] + "\\n").encode())
            class S(socketserver.ThreadingTCPServer):
                allow_reuse_address = True
            S(("0.0.0.0", 9200), H).serve_forever()
            """;
    /**
     * Asks on one connection ten times a second until it breaks; says so. No file object on the socket: one that has bytes
     * left when its connection is gone is complained of at the interpreter's end, from Python 3.13 on.
     */
    private static final String CLIENT = """
            import socket, sys, time
            s = socket.create_connection(("db", 9200), 5)
            begun = time.time()
            while time.time() - begun < 20:
                try:
                    s.sendall(b"?\\n")
                    name = s.recv(100).decode().strip()
                except OSError as e:
                    name = ""
                if not name:
                    print("over", flush=True)
                    break
                print(name, flush=True)
                time.sleep(0.1)
            """;

    private static final String ONCE = """
            import socket
            s = socket.create_connection(("db", 9200), 5)
            s.sendall(b"?\\n"); print(s.recv(10).decode().strip())
            """;

    @BeforeEach
    void writePrograms() throws IOException {
        Files.writeString(dir.resolve("server.py"), SERVER);
        Files.writeString(dir.resolve("client.py"), CLIENT);
        Files.writeString(dir.resolve("once.py"), ONCE);
    }

    private Started python(String params, String... words) throws IOException {
        String[] command = new String[words.length + 1];
        command[0] = "python3";
        System.arraycopy(words, 0, command, 1, words.length);
        command[1] = dir.resolve(words[0]).toString();
        return host().run(params, command);
    }

    private void serve(Endpoint... endpoints) {
        host().control.service("db", "240.242.0.9", 9200, PortPath.Path.KERNEL_L4, List.of(endpoints));
    }

    private static Endpoint endpoint(Started server, boolean healthy) {
        return new Endpoint(server.address(), 9200, 1, healthy, "db", "default");
    }

    @Test
    void anEndpointThatBecomesUnhealthyGetsNoNewConnectionAndOldOnesEndInTime() throws Exception {
        try (NodeAgent agent = host().start()) {
            assertEquals(Tier.SPLICE, agent.tier());
            Started a = python("{'name':'a','service':'db','ports':['tcp:9200']}", "server.py", "a");
            Started b = python("{'name':'b','service':'db','ports':['tcp:9200']}", "server.py", "b");
            serve(endpoint(a, true));
            for (Started server : List.of(a, b)) {
                MeshHost.listening(server.address(), 9200);
            }
            assertEquals("a", python("{'name':'once'}", "once.py").result());
            Started client = python("{'name':'client'}", "client.py");
            MeshHost.eventually(
                    "it is answered", () -> Files.readString(client.output()).contains("a"));
            assertEquals(1, host().workload("client").get("connections").getAsInt());
            assertEquals(1, host().workload("a").get("connections").getAsInt());
            assertTrue(host().workload("client").get("bytesReceived").getAsLong() >= 2);

            long before = System.nanoTime();
            serve(endpoint(a, false), endpoint(b, true));
            MeshHost.eventually(
                    "new connections go to b",
                    () -> python("{'name':'once'}", "once.py").result().equals("b"));
            assertTrue(client.process().isAlive(), "the old connection goes on");
            MeshHost.eventually("the old connection ends", () -> Files.readString(client.output())
                    .endsWith("over\n"));
            double seconds = (System.nanoTime() - before) / 1e9;
            assertTrue(seconds >= MeshHost.DRAIN.toSeconds(), "ended after " + seconds + " s");
            assertTrue(!Files.readString(client.output()).contains("b"));
            assertEquals(1, host().counter("DRAINED"));
            MeshHost.eventually(
                    "no connection is left",
                    () -> host().workload("a").get("connections").getAsInt() == 0);
            MeshHost.eventually(
                    "its end is reported",
                    () -> host().call("flows", "{}").toString().contains("bytesReceived"));
        }
    }
}
