package dev.tulle.cli.demo;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Report;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The steps that the demo shows, each with what it sends, what must come back, and who did the work. One thread. */
final class DemoSteps {
    private static final int SPLIT_REQUESTS = 60;

    /** With equal shares of 60, fewer than this for one version happens once in a million runs. */
    private static final int LEAST_SHARE = 5;

    private static final int REQUESTS = 20;
    /** How long after {@code apply} a change may need to reach every request. */
    private static final Duration EFFECT = Duration.ofMillis(200);

    private static final Duration DELAY = Duration.ofSeconds(2);
    private static final Duration QUICK = Duration.ofSeconds(1);

    private final Report report;
    private final MeshPlace place;
    private final Traffic traffic;
    private final Path config;
    private final int proxyMetricsPort;

    DemoSteps(Report report, MeshPlace place, Traffic traffic, Path config, int proxyMetricsPort) {
        this.report = report;
        this.place = place;
        this.traffic = traffic;
        this.config = config;
        this.proxyMetricsPort = proxyMetricsPort;
    }

    /** Applies a file of the sample's configuration. */
    void apply(String file) throws IOException {
        Path path = config.resolve(file);
        apply(Files.readString(path), path);
    }

    private void apply(String content, Path origin) {
        try (MeshClient control = MeshClient.control(place)) {
            control.call("apply", Json.of("content", content, "origin", origin.toString()));
        }
    }

    /** No rules: every version answers. */
    void split() {
        report.step("No routing rule: reviews is split over its three versions");
        Counters before = counters();
        Map<String, Integer> split = Traffic.split(traffic.reviews("", SPLIT_REQUESTS));
        boolean all = List.of("v1", "v2", "v3").stream().allMatch(v -> split.getOrDefault(v, 0) >= LEAST_SHARE);
        report.check(
                SPLIT_REQUESTS + " requests: " + text(split),
                all && split.size() == 3,
                "v1, v2 and v3 with about a third each");
        work(before);
    }

    /** Everything to v1, at once. */
    void allToOne() throws IOException {
        report.step("apply virtual-service-all-v1.yaml: everybody gets reviews v1");
        Counters before = counters();
        long begun = System.nanoTime();
        apply("virtual-service-all-v1.yaml");
        long applied = System.nanoTime();
        Duration effect = traffic.untilOnly("v1", "", EFFECT);
        report.check(
                "applied in " + Duration.ofNanos(applied - begun).toMillis() + " ms, in force for every request "
                        + effect.toMillis() + " ms later",
                effect.compareTo(EFFECT) <= 0,
                "at most " + EFFECT.toMillis() + " ms");
        Map<String, Integer> split = Traffic.split(traffic.reviews("", REQUESTS));
        report.check(REQUESTS + " requests: " + text(split), split.equals(Map.of("v1", REQUESTS)), "only v1");
        work(before);
    }

    /** One user to v2, by a header. */
    void oneUser() throws IOException {
        report.step("apply virtual-service-reviews-jason-v2.yaml: the header end-user: jason gets v2, others v1");
        Counters before = counters();
        apply("virtual-service-reviews-jason-v2.yaml");
        Duration effect = traffic.untilOnly("v2", "jason", EFFECT);
        report.check(
                "in force " + effect.toMillis() + " ms after apply returned",
                effect.compareTo(EFFECT) <= 0,
                "at most " + EFFECT.toMillis() + " ms");
        Map<String, Integer> jason = Traffic.split(traffic.reviews("jason", REQUESTS));
        report.check(REQUESTS + " requests by jason: " + text(jason), jason.equals(Map.of("v2", REQUESTS)), "only v2");
        Map<String, Integer> others = Traffic.split(traffic.reviews("anna", REQUESTS));
        report.check(REQUESTS + " requests by anna: " + text(others), others.equals(Map.of("v1", REQUESTS)), "only v1");
        work(before);
    }

    /** One user waits. */
    void delay() throws IOException {
        report.step("apply virtual-service-ratings-delay-jason.yaml: ratings takes 2 s longer for jason");
        Counters before = counters();
        apply("virtual-service-ratings-delay-jason.yaml");
        Traffic.Answer jason = traffic.reviews("jason");
        report.check(
                "jason waits " + jason.took().toMillis() + " ms, status " + jason.status(),
                jason.status() == 200
                        && jason.took().compareTo(DELAY) >= 0
                        && jason.took().compareTo(DELAY.plus(QUICK)) < 0,
                "2000 to 3000 ms and status 200");
        Traffic.Answer anna = traffic.reviews("anna");
        report.check(
                "anna waits " + anna.took().toMillis() + " ms, status " + anna.status(),
                anna.status() == 200 && anna.took().compareTo(QUICK) < 0,
                "less than 1000 ms and status 200");
        work(before);
    }

    /** A caller outside the mesh, straight to a workload's address. */
    void outsider() throws IOException {
        report.step("A program outside the mesh calls a workload directly");
        if (!guarded()) {
            report.line("the kernel of this host refuses the hook sk_lookup: nothing keeps such a program away");
            return;
        }
        Counters before = counters();
        String address = addressOf("reviews-v1");
        String outcome;
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(address, Programs.PORT), (int) QUICK.toMillis());
            outcome = "connected";
        } catch (IOException e) {
            outcome = "refused (" + e.getMessage() + ")";
        }
        report.check(
                "connect to " + address + ":" + Programs.PORT + ": " + outcome,
                outcome.startsWith("refused"),
                "refused, for it is neither published nor permitted");
        work(before);
    }

    private boolean guarded() throws IOException {
        try (MeshClient agent = MeshClient.agent(place)) {
            return Json.objects(agent.object("status", new JsonObject()), "hooks").stream()
                    .filter(hook -> Json.text(hook, "name").equals("sk_lookup"))
                    .anyMatch(hook -> Json.text(hook, "state").equals("active"));
        }
    }

    /** The decision behind it all, as {@code tulle explain} tells it. */
    void explain() {
        report.step("tulle explain --from productpage-v1 --to http://reviews:9080/ --header end-user:jason");
        JsonObject headers = Json.of("end-user", "jason");
        try (MeshClient control = MeshClient.control(place)) {
            JsonObject explanation = control.object(
                    "explain",
                    Json.of(
                            "from",
                            "productpage-v1",
                            "to",
                            "http://reviews:9080/reviews/0",
                            "method",
                            "GET",
                            "headers",
                            headers));
            List<JsonObject> steps = Json.objects(explanation, "steps");
            for (JsonObject step : steps) {
                report.line(Json.text(step, "step") + ": " + Json.text(step, "decision") + "  ["
                        + Json.text(step, "origin") + "]");
            }
            boolean named =
                    steps.stream().anyMatch(step -> Json.text(step, "decision").contains("v2"));
            report.check("the explanation names what step 3 showed", named, "a step that names reviews v2");
        }
    }

    /** HTTPS for callers outside: the page, and a service of gRPC. */
    void gateway(Edge edge) throws IOException, InterruptedException {
        report.step("apply gateway.yaml: HTTPS for callers outside, with a certificate that is made now");
        long begun = System.nanoTime();
        edge.makeCertificate();
        apply(edge.configuration(), edge.file());
        long applied = System.nanoTime();
        report.line("certificate, gateway and route in "
                + Duration.ofNanos(applied - begun).toMillis() + " ms: " + edge.page());
        Edge.Answer page = edge.get();
        report.check(
                "the page: status " + page.status() + ", over " + page.protocol() + " and " + page.tls(),
                page.equals(new Edge.Answer(200, "HTTP_2", "TLSv1.3")),
                "status 200 over HTTP_2 and TLSv1.3");
        String calls = edge.calls(REQUESTS);
        report.check(
                REQUESTS + " calls of gRPC, bookinfo.Stock/Count: " + calls, calls.equals(REQUESTS + " OK"), "all OK");
        Counters.read(place, edge.metricsPort())
                .proxySince(Counters.NONE)
                .forEach(line -> report.line("gateway " + line));
    }

    /** Waits until a program's own check says that it is ready. */
    void awaitReady(String workload, Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        while (workload(workload).filter(one -> Json.bool(one, "healthy")).isEmpty()) {
            if (System.nanoTime() > end) {
                throw new CommandFailure(
                        CommandFailure.NO, workload + " is not ready after " + patience.toSeconds() + " s");
            }
            Thread.sleep(50);
        }
    }

    private String addressOf(String workload) throws IOException {
        return workload(workload)
                .filter(one -> one.get("addresses") instanceof JsonArray addresses && !addresses.isEmpty())
                .map(one -> Json.plain(one.getAsJsonArray("addresses").get(0)))
                .orElseThrow(() -> new IOException("the mesh knows no workload " + workload));
    }

    private Optional<JsonObject> workload(String name) {
        try (MeshClient control = MeshClient.control(place)) {
            JsonElement answer = control.call("workloads", new JsonObject());
            JsonElement list = answer instanceof JsonObject object ? object.get("workloads") : answer;
            return Json.objects(list == null ? new JsonArray() : list).stream()
                    .filter(one -> Json.text(one, "name").equals(name))
                    .findFirst();
        }
    }

    private Counters counters() {
        return Counters.read(place, proxyMetricsPort);
    }

    private void work(Counters before) {
        Counters now = counters();
        now.kernelSince(before).forEach(line -> report.line("kernel " + line));
        now.proxySince(before).forEach(line -> report.line("proxy  " + line));
    }

    private static String text(Map<String, Integer> split) {
        StringBuilder text = new StringBuilder();
        split.forEach((version, count) -> text.append(text.isEmpty() ? "" : "  ")
                .append(version.isEmpty() ? "no version" : version)
                .append(' ')
                .append(count));
        return text.toString();
    }
}
