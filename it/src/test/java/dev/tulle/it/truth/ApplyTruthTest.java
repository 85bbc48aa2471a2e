package dev.tulle.it.truth;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.it.truth.Change.Sight;
import dev.tulle.it.truth.Elsewhere.Manner;
import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves that apply and delete end with 0 exactly when everybody enforces the change, by what programs see on the wire in
 * that moment, while those who are to enforce it are stopped, killed, slow, silent or refuse; and that no command waits
 * for a stopped one for more than ten seconds.
 *
 * <p>How many changes, how long each may take and which is set by the system properties {@code applies}, {@code
 * applies.timeout} (seconds) and {@code applies.seed}; {@code ./test applies} makes 500 with the default time.
 */
@Tag("e2e")
class ApplyTruthTest {
    private static final int APPLIES = Integer.getInteger("applies", 20);
    private static final int TIMEOUT = Integer.getInteger("applies.timeout", 2);
    private static final long SEED = Long.getLong("applies.seed", 20_261_129);
    private static final Duration MOST = Duration.ofSeconds(10);

    private static final String SUBSETS = """
            apiVersion: networking.istio.io/v1
            kind: DestinationRule
            metadata: {name: web, namespace: default}
            spec:
              host: web
              subsets:
              - {name: v1, labels: {version: v1}}
              - {name: v2, labels: {version: v2}}
            """;

    /** What happens to those who are to enforce a change, around it. */
    private enum Disturbance {
        NONE(10),
        PROXY_STOPPED(2),
        PROXY_PAUSED(2),
        PROXY_KILLED(1),
        MESH_STOPPED(1),
        MESH_KILLED(1),
        CLIENT_SLOW(2),
        CLIENT_SILENT(1),
        CLIENT_REFUSES(2),
        CLIENT_RESTARTS(2);

        private final int weight;

        Disturbance(int weight) {
            this.weight = weight;
        }

        /** Each in its turn at first, so that none is left out; then by chance. */
        static Disturbance draw(int round, SplittableRandom random) {
            if (round % 2 == 1 && round / 2 < values().length) {
                return values()[round / 2];
            }
            int at = random.nextInt(java.util.Arrays.stream(values())
                    .mapToInt(one -> one.weight)
                    .sum());
            for (Disturbance one : values()) {
                at -= one.weight;
                if (at < 0) {
                    return one;
                }
            }
            throw new AssertionError("weights");
        }
    }

    private final SplittableRandom random = new SplittableRandom(SEED);
    private final List<String> wrong = new ArrayList<>();
    private final Map<Disturbance, int[]> counted = new EnumMap<>(Disturbance.class);
    private Sight now = Sight.FIRST;
    private long slowest;

    @Test
    void theExitStatusIsTheTruth() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            start(lab);
            try (Probe probe = Probe.start(lab);
                    Elsewhere elsewhere = new Elsewhere(
                            lab.folder().resolve("run/xds.sock"), route(lab), Duration.ofMillis(TIMEOUT * 300L))) {
                lab.apply("subsets", SUBSETS);
                lab.await("the probe is served", Duration.ofSeconds(30), () -> differences(probe, now)
                        .isEmpty());
                for (int round = 0; round < APPLIES; round++) {
                    round(lab, probe, elsewhere, round);
                }
            }
            figures();
            assertEquals(List.of(), wrong);
            String told = lab.log();
            assertTrue(told.contains("it is told to refuse?WARNING and to forge a line"), told);
            assertEquals(
                    List.of(),
                    told.lines().filter(line -> line.startsWith("WARNING and")).toList());
        }
    }

    private void figures() {
        counted.forEach((disturbance, by) -> System.out.println("applies: " + disturbance + ": " + by[0]
                + " enforced by all, " + by[1] + " not by all, " + by[2] + " not known"));
        System.out.println("applies: " + APPLIES + " with seed " + SEED + ", the slowest command took " + slowest
                + " ms, " + wrong.size() + " untrue answers");
    }

    private static void start(MeshLab lab) throws Exception {
        for (String version : List.of("v1", "v2")) {
            lab.workload(
                    "web-" + version,
                    List.of("--service", "web", "--label", "version=" + version, "--port", "http:9080"),
                    List.of("python3", lab.program("server.py").toString(), version, "9080"));
        }
        lab.workload(
                "db",
                List.of("--service", "db", "--port", "tcp:7000"),
                List.of("python3", lab.program("knock.py").toString(), "serve", "7000"));
        lab.await("all are known", Duration.ofSeconds(30), () -> {
            String endpoints = quietly(() -> lab.tulle("endpoints").run().out());
            return endpoints.contains("|web.") && endpoints.contains("|db.") && endpoints.split(":9080").length > 2;
        });
    }

    /** The name of the route configuration, as clients ask for it. */
    private static String route(MeshLab lab) throws Exception {
        return lab.tulle("routes").ok().out().transform(out -> java.util.regex.Pattern.compile(
                        "web\\.default\\.[a-z.]*:9080")
                .matcher(out)
                .results()
                .findFirst()
                .orElseThrow(() -> new AssertionError(out))
                .group());
    }

    private Change change(int round) {
        return switch (random.nextInt(6)) {
            case 0, 1 -> Change.route(now, round % 2 == 0 ? "v1" : "v2", "g" + round + "g");
            case 2 -> Change.route(now, now.version().equals("v1") ? "v2" : "v1", "-");
            case 3 -> now.version().isEmpty() ? Change.route(now, "v2", "-") : Change.noRoute(now);
            default -> now.db().equals("ok") ? Change.policy(now) : Change.noPolicy(now);
        };
    }

    private void round(MeshLab lab, Probe probe, Elsewhere elsewhere, int round) throws Exception {
        Disturbance disturbance = Disturbance.draw(round, random);
        Change change = change(round);
        String what = "round " + round + ", " + disturbance + ", " + String.join(" ", change.command()) + " to "
                + change.then();
        try (Disturbed disturbed = begin(disturbance, lab, elsewhere)) {
            Command.Result result = timed(what, command(lab, change));
            int[] by = counted.computeIfAbsent(disturbance, _ -> new int[3]);
            by[Math.min(result.status() == 3 ? 2 : result.status(), 2)]++;
            switch (result.status()) {
                case 0 -> enforced(what, change, probe, elsewhere, disturbed.proxyRuns());
                case 1 -> {
                    if (disturbance == Disturbance.NONE || disturbance == Disturbance.CLIENT_SLOW) {
                        wrong.add(what + ": says no: " + result);
                    } else if (!result.err().contains("not every client enforces it")
                            || !result.err().matches("(?s).*/(proxy|agent) (refuses|did not answer).*")) {
                        wrong.add(what + ": does not say who: " + result);
                    }
                }
                case 3 -> {
                    if (disturbance != Disturbance.MESH_STOPPED && disturbance != Disturbance.MESH_KILLED) {
                        wrong.add(what + ": cannot reach the mesh: " + result);
                    }
                }
                default -> wrong.add(what + ": " + result);
            }
            if (disturbance == Disturbance.PROXY_STOPPED || disturbance == Disturbance.MESH_STOPPED) {
                Command.Result status = timed(what + ", status", lab.tulle("status"));
                if (status.status() == 0) {
                    wrong.add(what + ": status says healthy: " + status);
                }
                var _ = timed(what + ", explain", lab.tulle("explain", "--from", "truth", "--to", "http://web:9080/"));
            }
        }
        settle(lab, probe, elsewhere, change, what);
        now = change.then();
    }

    /** Nothing but the truth of a yes. */
    private void enforced(String what, Change change, Probe probe, Elsewhere elsewhere, boolean proxyRuns)
            throws IOException {
        if (proxyRuns) {
            change.then().differences(probe.look()).forEach(one -> wrong.add(what + ": says yes: " + one));
        }
        if (change.isRoute()) {
            elsewhere.difference(change.then()).ifPresent(one -> wrong.add(what + ": says yes: " + one));
            if (!proxyRuns) {
                wrong.add(what + ": says yes, but the proxy is stopped");
            }
        }
    }

    /** Once nobody is disturbed any more, the change comes into force: at once, or by being asked for again. */
    private void settle(MeshLab lab, Probe probe, Elsewhere elsewhere, Change change, String what) throws Exception {
        lab.awaitReady();
        lab.await(what + ": in force at last", Duration.ofSeconds(40), () -> {
            Command.Result again = quietly(() -> command(lab, change).run());
            return again.status() == 0 || again.err().contains("there is no ");
        });
        lab.await(what + ": seen at last", Duration.ofSeconds(20), () -> differences(probe, change.then())
                .isEmpty());
        if (change.isRoute()) {
            Optional<String> difference = elsewhere.difference(change.then());
            difference.ifPresent(one -> wrong.add(what + ": at last: " + one));
        }
    }

    private static List<String> differences(Probe probe, Sight sight) {
        return quietly(() -> sight.differences(probe.look()));
    }

    private Command.Result timed(String what, Command command) throws IOException, InterruptedException {
        long begun = System.nanoTime();
        Command.Result result = command.run();
        long millis = (System.nanoTime() - begun) / 1_000_000;
        slowest = Math.max(slowest, millis);
        if (millis > MOST.toMillis()) {
            wrong.add(what + ": took " + millis + " ms");
        }
        return result;
    }

    private static Command command(MeshLab lab, Change change) throws IOException {
        Path file = lab.folder().resolve("change.yaml");
        Files.writeString(file, change.manifest());
        List<String> words = new ArrayList<>();
        change.command().forEach(word -> words.add(word.equals("FILE") ? file.toString() : word));
        words.addAll(1, List.of("--timeout", Integer.toString(TIMEOUT)));
        return lab.tulle(words.toArray(String[]::new));
    }

    /** What is to be undone after a change. */
    private record Disturbed(boolean proxyRuns, Undo undo) implements AutoCloseable {
        interface Undo {
            void run() throws Exception;
        }

        @Override
        public void close() throws Exception {
            undo.run();
        }
    }

    private Disturbed begin(Disturbance disturbance, MeshLab lab, Elsewhere elsewhere) throws Exception {
        return switch (disturbance) {
            case NONE -> new Disturbed(true, () -> {});
            case PROXY_STOPPED -> stopped(lab.pid("proxy"), false);
            case PROXY_PAUSED -> {
                long pid = lab.pid("proxy");
                signal(pid, "STOP");
                Thread paused = Thread.ofVirtual()
                        .start(() -> quietly(() -> {
                            Thread.sleep(200 + random.nextInt(500));
                            signal(pid, "CONT");
                            return pid;
                        }));
                yield new Disturbed(true, paused::join);
            }
            case PROXY_KILLED -> {
                long pid = lab.pid("proxy");
                signal(pid, "KILL");
                yield new Disturbed(
                        true,
                        () -> lab.await(
                                "another proxy", Duration.ofSeconds(30), () -> quietly(() -> lab.pid("proxy")) != pid));
            }
            case MESH_STOPPED -> stopped(lab.pid("up"), true);
            case MESH_KILLED -> {
                long pid = lab.pid("up");
                Files.deleteIfExists(lab.folder().resolve("run/ready"));
                signal(pid, "KILL");
                yield new Disturbed(true, lab::awaitReady);
            }
            case CLIENT_SLOW -> become(elsewhere, Manner.SLOW);
            case CLIENT_SILENT -> {
                elsewhere.become(Manner.SILENT);
                yield new Disturbed(true, () -> {
                    elsewhere.become(Manner.WILLING);
                    elsewhere.restart();
                });
            }
            case CLIENT_REFUSES -> {
                elsewhere.become(Manner.REFUSING);
                yield new Disturbed(true, () -> {
                    elsewhere.become(Manner.WILLING);
                    elsewhere.restart();
                });
            }
            case CLIENT_RESTARTS -> {
                Thread restart = Thread.ofVirtual()
                        .start(() -> quietly(() -> {
                            Thread.sleep(random.nextInt(800));
                            elsewhere.restart();
                            return 0;
                        }));
                yield new Disturbed(true, restart::join);
            }
        };
    }

    private static Disturbed become(Elsewhere elsewhere, Manner manner) {
        elsewhere.become(manner);
        return new Disturbed(true, () -> elsewhere.become(Manner.WILLING));
    }

    private static Disturbed stopped(long pid, boolean proxyRuns) throws IOException, InterruptedException {
        signal(pid, "STOP");
        return new Disturbed(proxyRuns, () -> signal(pid, "CONT"));
    }

    private static void signal(long pid, String signal) throws IOException, InterruptedException {
        var _ = Command.of("kill", "-" + signal, Long.toString(pid)).ok();
    }

    private interface Attempt<T> {
        T make() throws Exception;
    }

    private static <T> T quietly(Attempt<T> attempt) {
        try {
            return attempt.make();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
