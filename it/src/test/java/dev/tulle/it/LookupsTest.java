package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that no look-up fails while one agent is exchanged for another, by an upgrade or by a kill: workloads look a name
 * of the mesh up without a pause, over UDP and over TCP, with the C library's own patience (5 s, two tries).
 *
 * <p>How many exchanges there are is set by the system property {@code lookups.exchanges}.
 */
@Tag("e2e")
class LookupsTest {
    private static final int EXCHANGES = Integer.getInteger("lookups.exchanges", 6);

    /** What a program has counted. */
    private record Counts(long answered, long failed, long longest, String why) {
        static Counts of(Path file) {
            try {
                String[] words = Files.readString(file).split(" ", 4);
                return new Counts(
                        Long.parseLong(words[0]), Long.parseLong(words[1]), Long.parseLong(words[2]), words[3]);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    @Test
    void noneFailsWhileAgentsAreExchanged() throws Exception {
        try (MeshLab lab = MeshLab.start("splice")) {
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:9080"),
                    List.of("python3", lab.program("server.py").toString(), "web", "9080"));
            Path udp = lookups(lab, "over-udp", "");
            Path tcp = lookups(lab, "over-tcp", "use-vc");
            for (int exchange = 0; exchange < EXCHANGES / 2; exchange++) {
                long before = lab.pid("up");
                lab.tulle("upgrade", "agent").ok();
                goOn(lab, before, "upgrade " + exchange, udp, tcp);
            }
            assertNoneFailed(udp);
            assertNoneFailed(tcp);
            // Over TCP the C library asks once: what a killed agent had just taken in is lost.
            for (int exchange = 0; exchange < EXCHANGES / 2; exchange++) {
                long before = lab.pid("up");
                lab.killMesh("up");
                goOn(lab, before, "kill " + exchange, udp, tcp);
            }
            assertNoneFailed(udp);
        }
    }

    /** Another agent answers, and has answered everybody who waited for it: the next exchange is not that one's gap. */
    private static void goOn(MeshLab lab, long before, String what, Path... files) throws Exception {
        lab.await("another agent", Duration.ofSeconds(60), () -> isAnother(lab, before));
        List<Long> answered =
                List.of(files).stream().map(file -> Counts.of(file).answered()).toList();
        for (int i = 0; i < files.length; i++) {
            Path file = files[i];
            long wanted = answered.get(i) + 100;
            lab.await(
                    "look-ups are answered " + file.getFileName(),
                    Duration.ofSeconds(30),
                    () -> Counts.of(file).answered() > wanted);
            say(what + ": " + file.getFileName() + " " + Counts.of(file));
        }
    }

    private static void assertNoneFailed(Path file) {
        Counts counts = Counts.of(file);
        assertEquals(0, counts.failed(), file.getFileName() + ": " + counts);
        assertTrue(counts.answered() > 50L * EXCHANGES, file.getFileName() + ": " + counts);
    }

    private static Path lookups(MeshLab lab, String name, String options) throws Exception {
        Path file = lab.folder().resolve(name);
        lab.workload(
                name,
                List.of(),
                List.of(
                        "env",
                        "RES_OPTIONS=" + options,
                        "python3",
                        lab.program("lookups.py").toString(),
                        "web",
                        file.toString()));
        lab.await(
                name + " is answered",
                Duration.ofSeconds(60),
                () -> Files.exists(file) && Counts.of(file).answered() > 0);
        assertEquals(0, Counts.of(file).failed(), () -> name + " before anything: " + Counts.of(file));
        return file;
    }

    private static boolean isAnother(MeshLab lab, long before) {
        try {
            return lab.pid("up") != before && Files.exists(lab.folder().resolve("run/ready"));
        } catch (IOException e) {
            return false;
        }
    }

    private static void say(String text) {
        System.out.println("look-ups: " + text);
    }
}
