package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that nobody notices when the mesh itself is replaced: restarts of the agent, killed and orderly, upgrades to an
 * agent whose maps have another layout, and upgrades of the proxy, under load. Every request must get its own complete
 * answer, every long-lived stream must stay, and the kernel must hold the same programs and maps afterwards.
 *
 * <p>How often is set by system properties {@code continuity.restarts}, {@code .upgrades}, {@code .proxies} and {@code
 * .streams}; {@code ./test continuity} runs it with 50, 20, 20 and 200.
 */
@Tag("e2e")
class ContinuityTest {
    private static final int RESTARTS = Integer.getInteger("continuity.restarts", 2);
    private static final int UPGRADES = Integer.getInteger("continuity.upgrades", 2);
    private static final int PROXIES = Integer.getInteger("continuity.proxies", 2);
    private static final int STREAMS = Integer.getInteger("continuity.streams", 40);

    @Test
    void nobodyNoticesThatTheMeshIsReplaced() throws Exception {
        Path objects = Files.createTempDirectory("tulle-objects");
        Path object = objects.resolve("tulle.bpf.o");
        Path bpf = MeshLab.home().resolve("bpf");
        Command.of("make", "-s", "-C", bpf.toString(), "all", "other-layout")
                .within(Duration.ofMinutes(1))
                .ok();
        Path one = bpf.resolve("build/tulle.bpf.o");
        Path other = bpf.resolve("build/tulle-other-layout.bpf.o");
        Files.copy(one, object);
        try (MeshLab lab = MeshLab.start("splice", "--kernel-object", object.toString(), "--upgrade-idle", "5")) {
            Path load = lab.folder().resolve("load.json");
            Process client = start(lab, load);
            long answered = answered(load);
            // The two programs that spliced sockets keep for life hold the constants of the build they came from: one
            // map
            // more from the first restart on, and never another.
            restart(lab, true);
            answered = goesOn(lab, load, answered, "the first restart");
            Footprint before = Footprint.now();
            say("before: " + before);
            for (int i = 1; i < RESTARTS; i++) {
                restart(lab, i % 2 == 0);
                answered = goesOn(lab, load, answered, "agent restart " + (i + 1));
            }
            for (int i = 0; i < UPGRADES; i++) {
                Files.copy(i % 2 == 0 ? other : one, objects.resolve("new"), StandardCopyOption.REPLACE_EXISTING);
                Files.move(objects.resolve("new"), object, StandardCopyOption.ATOMIC_MOVE);
                restart(lab, i % 4 == 3);
                checkTakeover(lab);
                answered = goesOn(lab, load, answered, "agent upgrade " + (i + 1));
            }
            for (int i = 0; i < PROXIES; i++) {
                long proxy = lab.pid("proxy");
                lab.tulle("upgrade", "proxy").within(Duration.ofSeconds(60)).ok();
                assertNotEquals(proxy, lab.pid("proxy"));
                answered = goesOn(lab, load, answered, "proxy upgrade " + (i + 1));
            }
            if (UPGRADES % 2 == 1) {
                Files.copy(one, object, StandardCopyOption.REPLACE_EXISTING);
                restart(lab, false);
            }
            goesOn(lab, load, answered, "the end");
            Footprint after = Footprint.now();
            // A program that sockets had goes a while after the last of them, when the kernel comes to it.
            for (int i = 0; i < 100 && !after.equals(before); i++) {
                Thread.sleep(100);
                after = Footprint.now();
            }
            say("after: " + after);
            assertEquals(before, after);
            Files.createFile(lab.folder().resolve("stop"));
            assertTrue(client.waitFor(30, TimeUnit.SECONDS), "the load ends");
            JsonObject end = state(load);
            say("load: " + end);
            assertEquals(0, end.get("failed").getAsInt(), end.toString());
            assertEquals(STREAMS, end.get("streams").getAsInt(), end.toString());
            checkMetrics(lab, end);
        } finally {
            Command.of("rm", "-r", objects.toString()).run();
        }
    }

    private static void say(String text) {
        System.out.println("continuity: " + text);
    }

    private static Process start(MeshLab lab, Path file) throws Exception {
        String program = lab.program("continuity.py").toString();
        lab.workload(
                "web",
                List.of(
                        "--splice",
                        "on",
                        "--service",
                        "web",
                        "--port",
                        "http:9080",
                        "--port",
                        "tcp:9081",
                        "--port",
                        "auto:9082"),
                List.of("python3", program, "serve", "9080", "9081", "9082"));
        lab.await("the server answers", Duration.ofSeconds(20), () -> answers(lab));
        Process load = lab.workload(
                "load",
                List.of("--splice", "on"),
                List.of(
                        "python3",
                        program,
                        "load",
                        "web:9080",
                        "web:9081",
                        "web:9082",
                        Integer.toString(STREAMS),
                        lab.folder().toString()));
        lab.await(
                "the load runs",
                Duration.ofSeconds(20),
                () -> Files.exists(file) && state(file).get("streams").getAsInt() == STREAMS && answered(file) > 500);
        return load;
    }

    private static boolean answers(MeshLab lab) {
        try {
            return lab.in("look", "curl", "-sS", "--fail", "-m", "3", "http://web:9080/1")
                            .run()
                            .status()
                    == 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static JsonObject state(Path file) {
        try {
            return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long answered(Path file) {
        JsonObject state = state(file);
        return state.get("keepAlive").getAsLong()
                + state.get("newConnections").getAsLong()
                + state.get("newTcp").getAsLong();
    }

    /** The next few hundred answers come, and nothing has failed. */
    private static long goesOn(MeshLab lab, Path load, long before, String step) throws Exception {
        long now = answered(load);
        lab.await("traffic goes on after " + step, Duration.ofSeconds(20), () -> answered(load) > now + 300);
        JsonObject state = state(load);
        assertEquals(0, state.get("failed").getAsInt(), step + ": " + state + "\n" + lab.log());
        assertEquals(STREAMS, state.get("streams").getAsInt(), step + ": " + state);
        say(step + ": " + (now - before) + " answers meanwhile, 0 failed");
        return answered(load);
    }

    /** Ends the process of agent and control plane and waits for the next. */
    private static void restart(MeshLab lab, boolean kill) throws Exception {
        long before = lab.pid("up");
        if (kill) {
            Command.of("kill", "-9", Long.toString(before)).ok();
            lab.await("control and agent are back", Duration.ofSeconds(40), () -> isBack(lab, before));
        } else {
            lab.tulle("upgrade", "agent").within(Duration.ofSeconds(60)).ok();
            assertTrue(isBack(lab, before), "another process serves");
        }
    }

    private static boolean isBack(MeshLab lab, long before) {
        try {
            return lab.pid("up") != before && Files.exists(lab.folder().resolve("run/ready"));
        } catch (IOException e) {
            return false;
        }
    }

    private static void checkTakeover(MeshLab lab) throws Exception {
        String status = lab.tulle("status", "-o", "json").run().out();
        JsonArray notes = JsonParser.parseString(status)
                .getAsJsonObject()
                .getAsJsonObject("agent")
                .getAsJsonArray("takeover");
        assertTrue(notes.toString().contains("tulle_listen: new layout, "), notes.toString());
        for (JsonElement note : notes) {
            String text = note.getAsString();
            assertTrue(!text.contains("still uses") && !text.contains("no entry could"), text);
        }
    }

    /**
     * The counters of proxy and agent cover all processes that there were: exactly what the proxies answered; of what the
     * kernel forwarded, all but what it counted in the instant in which its map was swapped.
     */
    private static void checkMetrics(MeshLab lab, JsonObject load) throws Exception {
        long proxies = counted(lab.port(15090));
        long kernel = counted(lab.port(15020));
        long answered =
                load.get("keepAlive").getAsLong() + load.get("newConnections").getAsLong();
        say("the proxies counted " + proxies + " requests and the kernel " + kernel + ", the client " + answered);
        assertTrue(
                Math.abs(proxies + kernel - answered) <= answered / 1000,
                "the proxies counted " + proxies + " and the kernel " + kernel + ", the client " + answered);
    }

    private static long counted(int port) throws Exception {
        String metrics = Command.of("curl", "-sS", "http://127.0.0.1:" + port + "/metrics")
                .ok()
                .out();
        return metrics.lines()
                .filter(line -> line.startsWith("istio_requests_total{")
                        && line.contains("source_workload=\"load\"")
                        && line.contains("response_code=\"200\""))
                .mapToLong(line -> Long.parseLong(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    /**
     * What of the mesh is in the kernel, counted by name: everything pinned, and every program that uses one of the maps
     * that all versions share, with its other maps.
     */
    private record Footprint(TreeMap<String, Integer> programs, TreeMap<String, Integer> maps, int links) {
        static Footprint now() throws Exception {
            Path pins = Path.of("/sys/fs/bpf", MeshLab.NAME);
            Set<Integer> maps = new HashSet<>();
            JsonArray all = json("map", "show");
            for (JsonElement map : all) {
                if (pinnedUnder(map.getAsJsonObject(), pins)) {
                    maps.add(map.getAsJsonObject().get("id").getAsInt());
                }
            }
            TreeMap<String, Integer> programs = new TreeMap<>();
            Set<Integer> used = new HashSet<>(maps);
            for (JsonElement element : json("prog", "show")) {
                JsonObject program = element.getAsJsonObject();
                boolean ours = pinnedUnder(program, pins);
                JsonArray ids = program.has("map_ids") ? program.getAsJsonArray("map_ids") : new JsonArray();
                for (JsonElement id : ids) {
                    ours |= maps.contains(id.getAsInt());
                }
                if (ours) {
                    programs.merge(program.get("name").getAsString(), 1, Integer::sum);
                    ids.forEach(id -> used.add(id.getAsInt()));
                }
            }
            TreeMap<String, Integer> names = new TreeMap<>();
            for (JsonElement map : all) {
                if (used.contains(map.getAsJsonObject().get("id").getAsInt())) {
                    names.merge(map.getAsJsonObject().get("name").getAsString(), 1, Integer::sum);
                }
            }
            String[] links = pins.resolve("links").toFile().list();
            return new Footprint(programs, names, links == null ? 0 : links.length);
        }

        private static JsonArray json(String... words) throws Exception {
            Command.Result result =
                    Command.of("bpftool", "-j", "-f", words[0], words[1]).ok();
            return JsonParser.parseString(result.out()).getAsJsonArray();
        }

        private static boolean pinnedUnder(JsonObject object, Path pins) {
            if (object.has("pinned")) {
                for (JsonElement path : object.getAsJsonArray("pinned")) {
                    if (path.getAsString().startsWith(pins + "/")) {
                        return true;
                    }
                }
            }
            return false;
        }

        private static int sum(TreeMap<String, Integer> counts) {
            return counts.values().stream().mapToInt(n -> n).sum();
        }

        @Override
        public String toString() {
            return sum(programs) + " programs " + programs + ", " + sum(maps) + " maps " + maps + ", " + links
                    + " links";
        }
    }
}
