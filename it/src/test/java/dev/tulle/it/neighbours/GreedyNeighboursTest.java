package dev.tulle.it.neighbours;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves with real programs that a workload which wants ten times what it should, of anything that all share, is noticed by
 * another one only little: its requests, new connections and look-ups do not fail and take not much longer, and status says
 * who it is.
 *
 * <p>The mesh does not share out processors. So the greedy one and the server that it calls run at the host's idle
 * priority, apart from all others ({@link Apart}); and the quiet figures are those of the same client while nobody is
 * greedy and two programs outside of the mesh use as much of the processors as those two did: what is left is what the mesh
 * adds.
 *
 * <p>The system properties {@code neighbours.seconds} (how long each measurement is) and {@code neighbours.times} (how many
 * times longer the slowest hundredth may take; of look-ups a third more), {@code neighbours.unnoticed} and {@code
 * neighbours.rounds} make it strict: {@code ./test neighbours} prints all figures. By default it is short, and only what would show a missing share on a busy machine fails.
 */
@Tag("e2e")
class GreedyNeighboursTest {
    private static final int SECONDS = Integer.getInteger("neighbours.seconds", 2);
    private static final double TIMES = Double.parseDouble(System.getProperty("neighbours.times", "40"));

    /** Measurements with the greedy one, and with as much work outside of the mesh, in turns; the median counts. */
    private static final int ROUNDS = Integer.getInteger("neighbours.rounds", 1);

    private static final String KINDS = System.getProperty("neighbours.kinds", "questions,idle,stalled");

    /** A difference that does not count, whatever its ratio, in microseconds: a busy machine makes larger ones by itself. */
    private static final int UNNOTICED = Integer.getInteger("neighbours.unnoticed", 500_000);

    private static final String ROUTES = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: web, namespace: default}
            spec:
              hosts: [web]
              http:
              - route: [{destination: {host: web}}]
                headers: {response: {set: {x-way: proxy}}}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: sink, namespace: default}
            spec:
              hosts: [sink]
              http:
              - match: [{uri: {regex: "/heavy/(a|b|ab|ba)*c"}}]
                route: [{destination: {host: sink}}]
                headers: {response: {set: {x-way: proxy}}}
              - route: [{destination: {host: sink}}]
                headers: {response: {set: {x-way: proxy}}}
            """;

    /** How long a greedy one may take until it has what it wants, and status says so. */
    private static final Duration NAMED = Duration.ofSeconds(60);

    private final List<String> wrong = new ArrayList<>();

    @Test
    void nobodyPaysForWhatAnotherWants() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            String program = lab.program("neighbours.py").toString();
            List<Process> servers = new ArrayList<>();
            for (String name : List.of("web", "sink")) {
                List<String> serve = List.of("python3", program, "serve", "9080");
                servers.add(lab.workload(
                        name,
                        List.of("--service", name, "--port", "http:9080"),
                        name.equals("sink") ? Apart.command(serve) : serve));
            }
            Process sink = servers.getLast();
            lab.apply("routes", ROUTES);
            lab.await("both are served", Duration.ofSeconds(30), () -> served(lab, "web") && served(lab, "sink"));
            measure(lab, program, 1);
            for (String kind : KINDS.split(",")) {
                List<Figures> quiet = new ArrayList<>();
                List<Figures> beside = new ArrayList<>();
                boolean named = true;
                double[] shares = new double[2];
                for (int round = 0; round < ROUNDS; round++) {
                    String greedy = "greedy-" + kind + (round == 0 ? "" : "-" + round);
                    Process process = greedy(lab, greedy, program, kind);
                    named &= isNamed(lab, greedy);
                    Apart.Work greedys = Apart.Work.of(process);
                    Apart.Work sinks = Apart.Work.of(sink);
                    beside.add(measure(lab, program, SECONDS));
                    shares = new double[] {greedys.share(), sinks.share()};
                    end(process);
                    try (Apart.Burners _ = Apart.burn(program, SECONDS, shares)) {
                        quiet.add(measure(lab, program, SECONDS));
                    }
                }
                judge(kind, Figures.median(quiet), Figures.median(beside), shares, named);
            }
        }
        assertEquals(List.of(), wrong);
    }

    /** At the idle priority the greedy one comes to what it wants when the others leave it a processor. */
    private static boolean isNamed(MeshLab lab, String greedy) throws Exception {
        for (long end = System.nanoTime() + NAMED.toNanos(); System.nanoTime() < end; ) {
            if (lab.tulle("status").run().out().contains("default/" + greedy)) {
                return true;
            }
            Thread.sleep(300);
        }
        return false;
    }

    private static Process greedy(MeshLab lab, String name, String program, String kind) throws Exception {
        long most = NAMED.toSeconds() + SECONDS + 60;
        Process process = lab.workload(
                name, List.of(), Apart.command(List.of("python3", program, kind, "sink:9080", Long.toString(most))));
        lab.await(name + " has begun", Duration.ofSeconds(30), () -> !process.isAlive() || began(lab, name));
        return process;
    }

    private static void end(Process process) throws InterruptedException {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
    }

    private void judge(String kind, Figures quiet, Figures beside, double[] shares, boolean named) {
        String line = String.format(
                Locale.ROOT,
                "%-13s %s%s; it had %.0f %%, its server %.0f %% of a processor",
                kind,
                beside.against(quiet),
                named ? "named" : "not named",
                shares[0] * 100,
                shares[1] * 100);
        System.out.println("neighbours: " + line);
        for (String way : Figures.WAYS) {
            Figures.Way seen = beside.way(way);
            double times = way.equals("name") ? TIMES * 4 / 3 : TIMES;
            if (seen.failed() > 0) {
                wrong.add(line + ": failed");
            }
            if (beside.times(way, quiet) > times && seen.p99() - quiet.way(way).p99() > UNNOTICED) {
                wrong.add(line + ": " + way + " takes too long");
            }
        }
        if (!named) {
            wrong.add(line + ": status does not say who it is");
        }
    }

    private static Figures measure(MeshLab lab, String program, int seconds) throws Exception {
        try {
            Command.Result result = lab.in(
                            "quiet", "python3", program, "measure", "web:9080", Integer.toString(seconds))
                    .within(Duration.ofSeconds(seconds + 60))
                    .ok();
            return Figures.parse(result.out());
        } catch (AssertionError e) {
            // Once a name was not found that others had found a moment before: what the mesh knew of it tells why.
            System.out.println(lab.tulle("flows", "--last", "60").run().out());
            System.out.println(lab.tulle("services").run().out());
            System.out.println(lab.tulle("status", "-o", "json").run().out());
            throw e;
        }
    }

    private static boolean served(MeshLab lab, String name) {
        try {
            return lab.in("look", "curl", "-sS", "-f", "-m", "3", "http://" + name + ":9080/")
                            .run()
                            .status()
                    == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static boolean began(MeshLab lab, String greedy) {
        try {
            return Files.readString(lab.folder().resolve(greedy + ".log")).contains("begun");
        } catch (java.io.IOException e) {
            return false;
        }
    }
}
