package dev.tulle.cli.demo.hosts;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.output.Report;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Bookinfo on several hosts, which are namespaces of this machine: joins them, spreads the programs over them, and shows that
 * they answer and are routed as on one. One thread; {@link #end} may be called by another.
 */
public final class HostsDemo {
    /** Hosts of the demo: fewer are no mesh of hosts, and each has two JVMs. */
    public static final int MOST = 8;

    private static final int PORT = 9080;
    private static final int REQUESTS = 30;
    private static final Duration PAGE = Duration.ofSeconds(60);
    private static final Duration JOINED = Duration.ofSeconds(5);

    /**
     * One program.
     *
     * @param host the number of its host, from 0; taken modulo how many there are
     */
    private record Program(String service, String version, int host) {
        String name() {
            return service + "-" + version;
        }
    }

    private static final List<Program> PROGRAMS = List.of(
            new Program("productpage", "v1", 0),
            new Program("details", "v1", 1),
            new Program("reviews", "v1", 0),
            new Program("reviews", "v2", 1),
            new Program("reviews", "v3", 2),
            new Program("ratings", "v1", 2));

    private final Report out;
    private final Path home;
    private final DemoNetwork network;

    /**
     * Not there yet.
     *
     * @param count how many hosts
     * @param home the folder that holds the launcher and the samples
     * @param folder for state and logs
     * @throws IOException when this machine has no control groups of version 2
     */
    public HostsDemo(Report out, int count, Path home, Path folder) throws IOException {
        this.out = out;
        this.home = home;
        this.network = new DemoNetwork(count, home, folder);
    }

    /** Shows it. */
    public void run() throws IOException, InterruptedException {
        out.plain(out.bold("Tulle demo: Bookinfo on " + network.hosts().size() + " hosts"));
        network.begin();
        join();
        start();
        routes();
        places();
    }

    private DemoHost first() {
        return network.hosts().getFirst();
    }

    private void join() throws IOException, InterruptedException {
        out.step("tulle up on the first host; tulle up --join " + first().address() + ":15012 on the others");
        first().startMesh(List.of());
        for (DemoHost host : network.hosts().subList(1, network.hosts().size())) {
            JsonObject made;
            try (MeshClient control = MeshClient.control(first().place())) {
                made = control.object("token-create", Json.of("node", "", "ttlSeconds", "600"));
            }
            long begun = System.nanoTime();
            host.startMesh(List.of(
                    "--join", first().address() + ":" + Json.text(made, "port"), "--token", Json.text(made, "token")));
            Duration took = Duration.ofNanos(System.nanoTime() - begun);
            out.check(
                    host.name() + " has joined and is ready after " + took.toMillis() + " ms",
                    took.compareTo(JOINED) <= 0,
                    "at most " + JOINED.toMillis() + " ms");
        }
    }

    private void start() throws IOException, InterruptedException {
        out.step("Bookinfo, spread over the hosts");
        for (String file : List.of("services.yaml", "destination-rules.yaml")) {
            apply(file);
        }
        for (Program program : PROGRAMS) {
            DemoHost host = hostOf(program);
            List<String> options = new ArrayList<>(List.of("--service", program.service()));
            options.addAll(List.of("--service-account", program.service()));
            options.addAll(List.of("--label", "version=" + program.version(), "--port", "http:" + PORT));
            options.addAll(List.of("--readiness", "http:" + PORT + "/health"));
            if (program.service().equals("productpage")) {
                options.addAll(List.of("--publish", PORT + ":" + PORT));
            }
            String run = home.resolve("samples/bookinfo/run").toString();
            host.startProgram(program.name(), options, List.of(run, program.service(), program.version()));
            out.line(host.name() + ": " + program.name());
        }
        long end = System.nanoTime() + PAGE.toNanos();
        Map<String, Integer> seen = new TreeMap<>();
        while (!seen.keySet().containsAll(List.of("v1", "v2", "v3"))) {
            seen = split(5);
            if (System.nanoTime() > end) {
                throw new CommandFailure(CommandFailure.NO, "not every version answers: " + seen);
            }
        }
        Map<String, Integer> versions = split(REQUESTS);
        out.check(
                REQUESTS + " requests: " + versions,
                versions.keySet().equals(java.util.Set.of("v1", "v2", "v3")),
                "v1, v2 and v3 alone, which are on three hosts");
    }

    private DemoHost hostOf(Program program) {
        return network.hosts().get(program.host() % network.hosts().size());
    }

    private void routes() throws IOException, InterruptedException {
        out.step("apply virtual-service-all-v1.yaml, then virtual-service-reviews-jason-v2.yaml");
        apply("virtual-service-all-v1.yaml");
        Map<String, Integer> all = split(REQUESTS);
        out.check("right after apply: " + all, all.equals(Map.of("v1", REQUESTS)), "v1 alone");
        apply("virtual-service-reviews-jason-v2.yaml");
        Map<String, Integer> jason = split("?u=jason", REQUESTS);
        out.check("jason: " + jason, jason.equals(Map.of("v2", REQUESTS)), "v2 alone, of another host");
    }

    private void places() {
        out.step("tulle nodes");
        try (MeshClient control = MeshClient.control(first().place())) {
            for (JsonObject node : Json.objects(control.call("nodes", new JsonObject()))) {
                out.check(
                        Json.text(node, "name") + " at " + Json.text(node, "address") + ", " + Json.text(node, "prefix")
                                + ": " + Json.text(node, "workloads") + " workloads, " + Json.text(node, "state")
                                + ", configuration " + Json.text(node, "configuration"),
                        Json.text(node, "state").equals("connected"),
                        "connected");
            }
        }
    }

    private void apply(String file) throws IOException {
        Path path = home.resolve("samples/bookinfo/config").resolve(file);
        try (MeshClient control = MeshClient.control(first().place())) {
            control.call("apply", Json.of("content", Files.readString(path), "origin", path.toString()));
        }
    }

    private Map<String, Integer> split(int count) throws IOException, InterruptedException {
        return split("", count);
    }

    /** Which versions answer a browser beside the first host; what fails is counted under what it printed. */
    private Map<String, Integer> split(String query, int count) throws IOException, InterruptedException {
        String url = "http://" + first().address() + ":" + PORT + "/api/v1/products/0/reviews" + query;
        String loop = "for i in $(seq " + count + "); do curl -s -m 15 '" + url + "' | tr -d '\\n'; echo; done";
        // The last host is as good a place as any: the page is published at the first one's address.
        String printed = network.hosts().getLast().run(List.of("sh", "-c", loop));
        Map<String, Integer> versions = new TreeMap<>();
        for (String line : printed.split("\n", -1)) {
            if (!line.isEmpty() || versions.isEmpty()) {
                versions.merge(version(line), 1, Integer::sum);
            }
        }
        return versions;
    }

    private static String version(String line) {
        try {
            String version = Json.text(JsonParser.parseString(line).getAsJsonObject(), "version");
            return version.isEmpty() ? "no version" : version;
        } catch (JsonParseException | IllegalStateException e) {
            return "no answer";
        }
    }

    /** Ends everything and removes every trace. */
    public void end() throws IOException, InterruptedException {
        network.end();
    }
}
