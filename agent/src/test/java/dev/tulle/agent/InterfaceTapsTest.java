package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.agent.host.Shell;
import dev.tulle.kernel.BpfFs;
import java.io.IOException;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Goal: what a workload exchanges with the outside is counted alike by tcx and by clsact; restarts, other people's filters
 * and detaching leave nothing of ours behind and everything of theirs. Method: a veth pair into a network namespace, a
 * route that makes its near end count as real, an echo server at the far end, and hooks that are refused on purpose.
 */
class InterfaceTapsTest {
    private static final String VARIABLE = "TULLE_REFUSE_HOOKS";
    private static final String NEAR = "tulletap0";
    private static final String FAR = "tulletap1";
    private static final String NAMESPACE = "tulle-taptest";
    private static final String NO_TCX = "tc_egress@tcx,tc_ingress@tcx";

    private static final String ECHO = """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(('198.18.77.2', 7))
            print('ready', flush=True)
            while True:
                data, peer = s.recvfrom(2000)
                s.sendto(data, peer)
            """;

    private static final String CALLER = """
            import socket, time
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(5)
            for i in range(10):
                s.sendto(b'x' * 100, ('198.18.77.2', 7))
                s.recv(200)
            print('done', flush=True)
            time.sleep(60)
            """;

    /** Serves and calls from one port, which nobody else of the host has. */
    private static final String FIXED = """
            import socket, time
            for connected in (False, True):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.settimeout(5)
                s.bind(('', 24777))
                if connected:
                    s.connect(('198.18.77.2', 7))
                for i in range(5):
                    s.send(b'x' * 100) if connected else s.sendto(b'x' * 100, ('198.18.77.2', 7))
                    assert s.recvfrom(200)[1] == ('198.18.77.2', 7)
                s.close()
            print('done', flush=True)
            time.sleep(60)
            """;

    @TempDir
    Path dir;

    private Process echo;

    @BeforeEach
    void wire() throws Exception {
        unwire();
        ip("netns", "add", NAMESPACE);
        ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", NAMESPACE);
        ip("addr", "add", "198.18.77.1/30", "dev", NEAR);
        ip("link", "set", NEAR, "up");
        ip("-n", NAMESPACE, "addr", "add", "198.18.77.2/30", "dev", FAR);
        ip("-n", NAMESPACE, "link", "set", FAR, "up");
        // Behind any route that is in use.
        ip("route", "add", "default", "dev", NEAR, "metric", "4000000000");
        echo = new ProcessBuilder("ip", "netns", "exec", NAMESPACE, "python3", "-c", ECHO)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertEquals("ready", echo.inputReader().readLine());
    }

    @AfterEach
    void clear() throws Exception {
        System.clearProperty(VARIABLE);
        echo.destroyForcibly();
        assertTrue(echo.waitFor(10, TimeUnit.SECONDS));
        unwire();
    }

    private static void unwire() throws IOException {
        Shell.run("ip", "link", "del", NEAR);
        Shell.run("ip", "netns", "del", NAMESPACE);
    }

    private static void ip(String... arguments) throws IOException {
        run(List.of("ip"), arguments);
    }

    private static String tc(String... arguments) throws IOException {
        return run(List.of("tc"), arguments);
    }

    private static String run(List<String> command, String... arguments) throws IOException {
        List<String> full = new ArrayList<>(command);
        full.addAll(List.of(arguments));
        return Shell.run(full, "", Shell.TIMEOUT).orThrow().output();
    }

    /** Bytes and packets that a new workload sent and received at the interface, with ten datagrams of 142 bytes. */
    private static List<Long> exchange(MeshHost host, String name) throws Exception {
        return exchange(host, name, CALLER);
    }

    private static List<Long> exchange(MeshHost host, String name, String program) throws Exception {
        MeshHost.Started caller = host.run("{'name':'" + name + "'}", "python3", "-c", program);
        MeshHost.eventually(
                "the echo has answered", () -> Files.readString(caller.output()).contains("done"));
        List<Long> counted = counted(host, name);
        caller.process().destroyForcibly();
        return counted;
    }

    private static List<Long> counted(MeshHost host, String name) throws IOException {
        for (JsonElement one : host.call("workloads", "{}").getAsJsonArray()) {
            JsonObject workload = one.getAsJsonObject();
            if (workload.get("name").getAsString().equals(name)) {
                return List.of("wireBytesSent", "wireBytesReceived", "wirePacketsSent", "wirePacketsReceived").stream()
                        .map(field -> workload.get(field).getAsLong())
                        .toList();
            }
        }
        throw new IOException("no workload " + name);
    }

    /** State and reason of both hooks. */
    private static String hooks(MeshHost host) throws IOException {
        StringBuilder text = new StringBuilder();
        for (JsonElement one : host.object("status", "{}").getAsJsonArray("hooks")) {
            if (one.getAsJsonObject().get("name").getAsString().startsWith("tc_")) {
                text.append(one.getAsJsonObject().get("state").getAsString())
                        .append(": ")
                        .append(one.getAsJsonObject().get("reason").getAsString())
                        .append('\n');
            }
        }
        return text.toString();
    }

    private static String filters() throws IOException {
        return tc("filter", "show", "dev", NEAR, "ingress") + tc("filter", "show", "dev", NEAR, "egress");
    }

    private static long count(String text, String part) {
        return text.lines().filter(line -> line.contains(part)).count();
    }

    private static boolean hasClsact() throws IOException {
        return tc("qdisc", "show", "dev", NEAR).contains("clsact");
    }

    /** Pinned links at the near end: tools of kernels before tcx do not show them. */
    private static long tcx(MeshHost host) throws IOException {
        String end = "-" + NetworkInterface.getByName(NEAR).getIndex();
        return BpfFs.list(host.options.pinDirectory().resolve("links")).stream()
                .filter(pin -> pin.getFileName().toString().startsWith("tulle_tc_")
                        && pin.toString().endsWith(end))
                .count();
    }

    /** Programs that count, of whatever mesh, by number. */
    private static Set<String> programs() throws IOException {
        return run(List.of("bpftool"), "prog", "show")
                .lines()
                .filter(line -> line.contains("name tulle_tc_"))
                .map(line -> line.substring(0, line.indexOf(':')))
                .collect(Collectors.toSet());
    }

    private static final List<Long> TEN = List.of(1420L, 1420L, 10L, 10L);

    @Test
    void tcxAndClsactCountAlike() throws Exception {
        // Of other meshes on this host.
        Set<String> others = programs();
        try (MeshHost host = new MeshHost(dir, Optional.empty())) {
            try (NodeAgent agent = host.start()) {
                assertEquals(TEN, exchange(host, "a"));
                assertFalse(hasClsact());
                assertEquals(2, tcx(host));
            }
            System.setProperty(VARIABLE, NO_TCX);
            try (NodeAgent agent = host.start()) {
                assertEquals(TEN, exchange(host, "b"));
                assertTrue(hooks(host).contains("active: attached to "), hooks(host));
                assertTrue(
                        hooks(host).contains(NEAR + " by clsact (cannot attach tulle_tc_egress by tcx"), hooks(host));
                assertEquals(2, count(filters(), "tulle_tc_"), filters());
                assertEquals(2, count(filters(), "direct-action"), filters());
            }
            // Without an agent it goes on; the next one takes over.
            assertEquals(2, count(filters(), "tulle_tc_"), filters());
            try (NodeAgent agent = host.start()) {
                assertEquals(2, count(filters(), "tulle_tc_"), filters());
                assertEquals(TEN, exchange(host, "c"));
            }
            System.clearProperty(VARIABLE);
            try (NodeAgent agent = host.start()) {
                assertFalse(hasClsact(), "nobody needs it any more");
                assertEquals(2, tcx(host));
                assertEquals(TEN, exchange(host, "d"));
            }
        }
        // The kernel frees a program some time after its last link has gone, on a busy host later.
        MeshHost.eventually("no program that counts is left", () -> others.containsAll(programs()));
    }

    @Test
    void aFixedPortHasItsAnswersByBoth() throws Exception {
        for (String refused : List.of("", NO_TCX)) {
            System.setProperty(VARIABLE, refused);
            try (MeshHost host = new MeshHost(dir, Optional.empty())) {
                try (NodeAgent agent = host.start()) {
                    assertEquals(TEN, exchange(host, "a", FIXED), refused);
                    assertTrue(hooks(host).contains("attached to lo"), hooks(host));
                }
            }
        }
        assertFalse(tc("qdisc", "show", "dev", "lo").contains("clsact"), "it was ours");
    }

    @Test
    void whatOthersHaveThereStays() throws Exception {
        System.setProperty(VARIABLE, NO_TCX);
        try (MeshHost host = new MeshHost(dir, Optional.empty())) {
            try (NodeAgent agent = host.start()) {
                assertTrue(hasClsact());
                assertEquals(TEN, exchange(host, "a"));
            }
        }
        assertFalse(hasClsact(), "it was ours");
        tc("qdisc", "add", "dev", NEAR, "clsact");
        try (MeshHost host = new MeshHost(dir, Optional.empty())) {
            try (NodeAgent agent = host.start()) {
                assertEquals(2, count(filters(), "tulle_tc_"), filters());
            }
        }
        assertTrue(hasClsact(), "it was there before");
        assertEquals(0, count(filters(), "tulle_tc_"), filters());
        tc("qdisc", "del", "dev", NEAR, "clsact");
        try (MeshHost host = new MeshHost(dir, Optional.empty())) {
            try (NodeAgent agent = host.start()) {
                tc("filter", "add", "dev", NEAR, "egress", "prio", "1", "bpf", "bytecode", "1,6 0 0 0");
            }
        }
        assertEquals(0, count(filters(), "tulle_tc_"), filters());
        assertTrue(filters().contains("bytecode"), "somebody has come to use it");
    }

    @Test
    void withoutEitherNothingIsCountedAndStatusSaysSo() throws Exception {
        for (String refused : List.of("tc_egress,tc_ingress", "tc_egress@attach,tc_ingress@attach")) {
            System.setProperty(VARIABLE, refused);
            try (MeshHost host = new MeshHost(dir, Optional.empty())) {
                try (NodeAgent agent = host.start()) {
                    assertEquals(List.of(0L, 0L, 0L, 0L), exchange(host, "a"), refused);
                    assertEquals(2, count(hooks(host), "off: "), hooks(host));
                    assertEquals(2, count(hooks(host), "refused on purpose"), hooks(host));
                    assertFalse(hasClsact());
                }
            }
        }
    }
}
