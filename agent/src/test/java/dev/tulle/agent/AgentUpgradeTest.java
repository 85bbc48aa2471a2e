package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.datapath.HalfUpgrade;
import dev.tulle.agent.host.Shell;
import dev.tulle.agent.tier.Tier;
import dev.tulle.kernel.AttachType;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfProgram;
import dev.tulle.kernel.MapType;
import dev.tulle.kernel.ProgramInfo;
import dev.tulle.model.Endpoint;
import dev.tulle.model.PortPath;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Proves that an agent whose maps have another layout takes over what the one before left: a spliced connection and the
 * learned listeners live on, the programs on living connections are the new ones, nothing old stays in the kernel.
 */
class AgentUpgradeTest extends MeshHostTest {
    /** Echoes lines; the client sends numbered ones without end and prints the first answer that is not the question. */
    private static final String ECHO = """
            import os, socket, sys, threading, time
            def serve(c):
                with c:
                    while data := c.recv(65536): c.sendall(data)
            if sys.argv[1] == "serve":
                s = socket.create_server(("0.0.0.0", int(sys.argv[2])), backlog=16)
                while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
            c = socket.create_connection((sys.argv[2], int(sys.argv[3])))
            c.settimeout(5)
            count = int(sys.argv[4]); i = 0
            while count == 0 or i < count:
                question = b"%09d\\n" % i; answer = b""
                c.sendall(question)
                while len(answer) < len(question):
                    more = c.recv(65536)
                    if not more: print("end of stream at", i); sys.exit(1)
                    answer += more
                if answer != question: print("wrong at", i, answer); sys.exit(1)
                i += 1
                if count == 0:
                    with open(sys.argv[5] + ".new", "w") as f: f.write(str(i))
                    os.replace(sys.argv[5] + ".new", sys.argv[5]); time.sleep(0.002)
            print("ok", i)
            """;

    private static final Path ONE = Path.of("../bpf/build/tulle.bpf.o");
    private static final Path OTHER = Path.of("../bpf/build/tulle-other-layout.bpf.o");

    private @Nullable NodeAgent agent;

    @BeforeEach
    void buildObjects() throws IOException {
        Shell.Outcome built = Shell.run("make", "-s", "-C", "../bpf", "all", "other-layout");
        assertEquals(0, built.status(), built.output());
        Files.writeString(dir.resolve("echo.py"), ECHO);
    }

    @AfterEach
    void end() {
        NodeAgent running = agent;
        if (running != null) {
            running.close();
            agent = null;
        }
    }

    private void start(Path object) throws IOException {
        AgentOptions options = new MeshHost(dir, Optional.of(Tier.SPLICE), object).options;
        agent = NodeAgent.start(options, host().control);
    }

    private Started echo(String name, String... arguments) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("python3", dir.resolve("echo.py").toString()));
        command.addAll(List.of(arguments));
        return host().run(
                        "{'name':'" + name + "','service':'" + name + "','ports':['tcp:9070']}",
                        command.toArray(String[]::new));
    }

    private long answered(Path progress) throws IOException {
        String text = Files.exists(progress) ? Files.readString(progress).strip() : "";
        return text.isEmpty() ? 0 : Long.parseLong(text);
    }

    /** The pinned maps, but for those of programs, of which each load has its own. */
    private List<Integer> ids() throws IOException {
        List<Integer> ids = new ArrayList<>();
        for (Path pin : BpfFs.list(host().options.pinDirectory().resolve("maps"))) {
            try (BpfMap map = BpfMap.openPinned(pin)) {
                if (map.spec().type() != MapType.PROG_ARRAY.number()
                        || map.name().equals("tulle_entries")) {
                    ids.add(map.id());
                }
            }
        }
        return ids;
    }

    private void check(Path progress, Process stream) throws Exception {
        long before = answered(progress);
        long messages = host().counter("SPLICE_MESSAGES");
        MeshHost.eventually("the stream goes on", () -> !stream.isAlive() || answered(progress) > before + 50);
        assertTrue(stream.isAlive(), "the stream lives");
        assertTrue(
                host().counter("SPLICE_MESSAGES") > messages + 50,
                "the living connection runs the programs that count in the maps of now");
        assertEquals("ok 100", echo("caller", "call", "echo", "9070", "100").result());
        for (JsonElement note : notes()) {
            String text = note.getAsString();
            assertTrue(!text.contains("could not be") && !text.contains("still uses"), text);
        }
    }

    private JsonArray notes() throws IOException {
        return host().object("status", "{}").getAsJsonArray("takeover");
    }

    /** The program that new sockets get for what comes to them over TCP. */
    private ProgramInfo verdict() {
        try (BpfMap sockets =
                BpfMap.openPinned(host().options.pinDirectory().resolve("maps").resolve("tulle_sockets"))) {
            List<Integer> attached = BpfProgram.attachedTo(sockets, AttachType.SK_SKB_STREAM_VERDICT);
            assertEquals(1, attached.size());
            return BpfProgram.infoOf(attached.getFirst());
        }
    }

    private Started begin(Path progress) throws Exception {
        start(ONE);
        Started server = echo("echo", "serve", "9070");
        host().control
                .service(
                        "echo",
                        "240.242.0.1",
                        9070,
                        PortPath.Path.KERNEL_L4,
                        List.of(new Endpoint(server.address(), 9070, 1, true, "echo", "default")));
        MeshHost.listening(server.address(), 9070);
        return echo("stream", "call", "echo", "9070", "0", progress.toString());
    }

    @Test
    void anotherLayoutTakesOverEverythingThatLives() throws Exception {
        Path progress = dir.resolve("progress");
        Started stream = begin(progress);
        check(progress, stream.process());
        List<Integer> first = ids();
        long counted = host().counter("SPLICE_MESSAGES");
        String verdict = verdict().tag();
        for (int i = 0; i < 4; i++) {
            end();
            start(i % 2 == 0 ? OTHER : ONE);
            assertTrue(notes().toString().contains("tulle_listen: new layout, "), notes().toString());
            assertTrue(host().counter("SPLICE_MESSAGES") >= counted, "counters are carried over");
            check(progress, stream.process());
            assertNotEquals(verdict, verdict().tag(), "a changed program is exchanged");
            verdict = verdict().tag();
        }
        int kept = verdict().id();
        List<Integer> last = ids();
        assertEquals(first.size(), last.size());
        String maps = Shell.run("bpftool", "map", "show").output();
        for (int id : first) {
            assertTrue(last.contains(id) || !maps.lines().anyMatch(line -> line.startsWith(id + ": ")), maps);
        }
        // Without a change everything is used as it is.
        end();
        start(ONE);
        assertEquals(0, notes().size(), notes().toString());
        assertEquals(last, ids());
        assertEquals(kept, verdict().id());
        check(progress, stream.process());
    }

    @Test
    void anAgentKilledInTheMiddleIsRepaired() throws Exception {
        Path progress = dir.resolve("progress");
        Path pins = host().options.pinDirectory();
        Started stream = begin(progress);
        check(progress, stream.process());
        for (int swapped : new int[] {0, 3, 9}) {
            end();
            HalfUpgrade.run(OTHER, pins, swapped);
            start(ONE);
            assertTrue(!Files.exists(pins.resolve("next")), "nothing is left half done");
            check(progress, stream.process());
        }
    }
}
