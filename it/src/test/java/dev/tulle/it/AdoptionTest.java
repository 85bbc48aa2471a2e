package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that workloads outlive their mesh: it is stopped, and killed in every combination of its processes, and started
 * again, while programs run, call each other and hold connections open. They keep their addresses, are back in the mesh
 * within two seconds of its being ready, and no connection of kernel L4 loses or doubles a byte.
 *
 * <p>How often is set by the system properties {@code adoption.rounds} and {@code adoption.workloads}; {@code ./test
 * adoption} runs it with 50 and 20.
 */
@Tag("e2e")
class AdoptionTest {
    private static final int ROUNDS = Integer.getInteger("adoption.rounds", 3);
    private static final int WORKLOADS = Integer.getInteger("adoption.workloads", 6);
    private static final Duration BACK = Duration.ofSeconds(2);
    /** A client that has just come back may still be counted as away. */
    private static final Duration HEALTHY = Duration.ofSeconds(5);

    /** What happens to the mesh's processes. */
    private enum End {
        /** SIGTERM. */
        STOPPED,
        /** As when a container or its host is reset. */
        ALL_KILLED,
        /** The launcher and the JVM; the next one adopts the proxy. */
        PROXY_LEFT,
        /** JVM and proxy; the launcher starts the JVM again. */
        LAUNCHER_LEFT,
        /** The launcher first: the JVM goes on, nobody can start the mesh a second time, and it stops in order. */
        LAUNCHER_FIRST
    }

    @Test
    void workloadsAreTakenOverWhateverHappensToTheMesh() throws Exception {
        try (MeshLab lab = MeshLab.start("splice")) {
            List<Path> streams = startStreams(lab);
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:9080"),
                    List.of("python3", lab.program("adoption.py").toString(), "web", "9080"));
            Path answered = lab.folder().resolve("probe");
            lab.workload(
                    "probe",
                    List.of(),
                    List.of(
                            "python3",
                            lab.program("adoption.py").toString(),
                            "probe",
                            "web",
                            "9080",
                            answered.toString()));
            lab.await("the probe has an answer", Duration.ofSeconds(60), () -> Files.exists(answered));
            String addresses = addresses(lab);
            long worst = 0;
            for (int round = 0; round < ROUNDS; round++) {
                End end = End.values()[round % End.values().length];
                List<Long> before = counts(streams);
                end(lab, end);
                long back = millisUntilAnswered(lab, answered);
                worst = Math.max(worst, back);
                say("round " + round + ": " + end + ", web answers " + back + " ms after ready");
                lab.await("every stream goes on after " + end, Duration.ofSeconds(20), () -> allAbove(streams, before));
                assertEquals(addresses, addresses(lab), "addresses after " + end);
                awaitHealthy(lab, end);
            }
            say(ROUNDS + " rounds, " + WORKLOADS + " workloads: all back within " + worst + " ms, streams "
                    + counts(streams));
            assertTrue(worst <= BACK.toMillis(), "back after " + worst + " ms");
        }
    }

    @Test
    void aSecondUpTouchesNothing() throws Exception {
        try (MeshLab lab = MeshLab.start("splice")) {
            long jvm = lab.pid("up");
            Command.Result second = lab.again().run();
            assertEquals(1, second.status(), second.toString());
            assertTrue(second.err().contains("already runs: process " + jvm), second.toString());
            assertEquals(0, lab.tulle("status").run().status());
            assertEquals(jvm, lab.pid("up"));
        }
    }

    private static void awaitHealthy(MeshLab lab, End end) throws Exception {
        long begun = System.nanoTime();
        Command.Result status = lab.tulle("status").run();
        while (status.status() != 0) {
            String said =
                    (status.out() + status.err()).lines().map(String::strip).collect(Collectors.joining(" | "));
            say("after " + end + ": " + said);
            assertTrue(System.nanoTime() - begun < HEALTHY.toNanos(), "status after " + end + ": " + said);
            Thread.sleep(100);
            status = lab.tulle("status").run();
        }
    }

    private static void say(String text) {
        System.out.println("adoption: " + text);
    }

    private static List<Path> startStreams(MeshLab lab) throws Exception {
        String program = lab.program("adoption.py").toString();
        List<Path> files = new ArrayList<>();
        int pairs = (WORKLOADS - 2) / 2;
        for (int i = 0; i < pairs; i++) {
            lab.workload(
                    "echo-" + i,
                    List.of("--service", "echo-" + i, "--port", "tcp:7000"),
                    List.of("python3", program, "serve", "7000"));
        }
        for (int i = 0; i < pairs; i++) {
            String address = "echo-" + i;
            lab.await("echo-" + i + " listens", Duration.ofSeconds(60), () -> listens(lab, address));
            Path file = lab.folder().resolve("stream-" + i);
            files.add(file);
            lab.workload(
                    "stream-" + i, List.of(), List.of("python3", program, "stream", address, "7000", file.toString()));
        }
        lab.await("streams run", Duration.ofSeconds(60), () -> files.stream().allMatch(Files::exists));
        return files;
    }

    private static boolean listens(MeshLab lab, String workload) {
        try {
            String address = lab.address(workload);
            return Command.of("ss", "-tlnH").ok().out().contains(address + ":");
        } catch (IOException | InterruptedException | IllegalStateException | AssertionError e) {
            return false;
        }
    }

    private static void end(MeshLab lab, End end) throws Exception {
        switch (end) {
            case STOPPED -> {
                int before = lab.log().length();
                assertEquals(0, lab.stopMesh());
                String told = lab.log().substring(before);
                assertTrue(told.contains(WORKLOADS + " workloads go on") && told.contains("tulle detach --all"), told);
                lab.startMesh();
            }
            case ALL_KILLED -> {
                lab.killMesh("launcher", "up", "proxy");
                lab.startMesh();
            }
            case PROXY_LEFT -> {
                lab.killMesh("launcher", "up");
                lab.startMesh();
            }
            case LAUNCHER_LEFT -> {
                lab.killMesh("up", "proxy");
                lab.awaitReady();
            }
            case LAUNCHER_FIRST -> {
                long jvm = lab.pid("up");
                lab.killMesh("launcher");
                Command.Result second = lab.again().run();
                assertTrue(second.err().contains("process " + jvm), second.toString());
                Command.of("kill", Long.toString(jvm)).ok();
                lab.await("the JVM stops", Duration.ofSeconds(60), () -> !Files.exists(Path.of("/proc/" + jvm)));
                lab.startMesh();
            }
        }
    }

    private static long millisUntilAnswered(MeshLab lab, Path answered) throws Exception {
        long ready =
                Files.getLastModifiedTime(lab.folder().resolve("run/ready")).toMillis();
        lab.await("web answers", Duration.ofSeconds(30), () -> lastAnswer(answered) > ready);
        return lastAnswer(answered) - ready;
    }

    private static long lastAnswer(Path answered) {
        try {
            return (long) (Double.parseDouble(Files.readString(answered)) * 1000);
        } catch (IOException e) {
            return 0;
        }
    }

    private static List<Long> counts(List<Path> streams) throws IOException {
        List<Long> counts = new ArrayList<>();
        for (Path stream : streams) {
            String text = Files.readString(stream);
            assertTrue(!text.startsWith("failed"), stream.getFileName() + " " + text);
            counts.add(Long.parseLong(text));
        }
        return counts;
    }

    private static boolean allAbove(List<Path> streams, List<Long> before) {
        try {
            List<Long> now = counts(streams);
            for (int i = 0; i < now.size(); i++) {
                if (now.get(i) <= before.get(i)) {
                    return false;
                }
            }
            return true;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Workloads and their addresses, but for those that only look. */
    private static String addresses(MeshLab lab) throws Exception {
        StringBuilder all = new StringBuilder();
        lab.tulle("workloads").ok().out().lines().forEach(line -> {
            String[] words = line.split("\\s+");
            for (String word : words) {
                if (word.startsWith(MeshLab.RANGE)) {
                    all.append(words[0])
                            .append('/')
                            .append(words[1])
                            .append(' ')
                            .append(word)
                            .append('\n');
                }
            }
        });
        return all.toString();
    }
}
