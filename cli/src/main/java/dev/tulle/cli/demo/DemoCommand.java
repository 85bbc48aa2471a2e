package dev.tulle.cli.demo;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.command.BaseCommand;
import dev.tulle.cli.demo.hosts.HostsDemo;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Report;
import dev.tulle.common.FreePorts;
import dev.tulle.common.LocalApiClient;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Shows what the mesh does, on Bookinfo: starts a mesh of its own and seven programs, changes routes step by step, checks
 * what each step should do, and leaves nothing behind. Runs on the main thread; the clean-up also runs when the process
 * is asked to stop.
 */
@Command(name = "demo", description = "Runs Bookinfo through a mesh of its own and shows routing, step by step.")
public final class DemoCommand extends BaseCommand {
    private static final Duration PAGE = Duration.ofSeconds(40);
    private static final int EDGE_PORT = 8443;
    private static final int PORTS_TRIED = 20;
    private static final int VERSIONS = 3;
    private static final int EACH = 4;

    @Option(names = "--once", description = "Runs unattended, checks each step, cleans up, exits 0 or 1.")
    private boolean once;

    @Option(
            names = "--tier",
            paramLabel = "TIER",
            description = "splice, redirect, nftables or explicit; default: the best that passes its test.")
    private @Nullable String tier;

    @Option(
            names = "--hosts",
            paramLabel = "N",
            description = "On N hosts, which are namespaces of this machine: 2 to " + HostsDemo.MOST
                    + ". Default: on this host alone.",
            defaultValue = "1")
    private int hosts = 1;

    private @Nullable HostsDemo onHosts;

    private final AtomicBoolean cleaned = new AtomicBoolean();
    private @Nullable DemoMesh mesh;
    private @Nullable Programs programs;
    private @Nullable Edge edge;
    private @Nullable Traces traces;
    private @Nullable Report report;

    /** Makes the command. */
    public DemoCommand() {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path home = Path.of(System.getenv().getOrDefault("TULLE_HOME", "")).toAbsolutePath();
        if (!Files.isExecutable(home.resolve("samples/bookinfo/run"))) {
            throw new CommandFailure(
                    CommandFailure.NO, home + ": no samples/bookinfo/run in it; start the demo as ./tulle demo");
        }
        if (tier != null
                && !Set.of("splice", "redirect", "nftables", "explicit").contains(tier)) {
            throw new CommandFailure(
                    CommandFailure.USAGE, "--tier: '" + tier + "'; expected splice, redirect, nftables or explicit");
        }
        if (hosts < 1 || hosts > HostsDemo.MOST || (hosts > 1 && tier != null)) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "--hosts: " + hosts + (tier == null ? "" : " with --tier") + "; expected 1 to " + HostsDemo.MOST
                            + ", and no tier with more than one");
        }
        Report out = new Report(out(), Output.colour());
        report = out;
        Path folder = home.resolve(".run/demo");
        Path run = Path.of("/run", DemoMesh.NAME);
        refuseSecond(run);
        emptyFolder(folder);
        Traces found = Traces.begin(home);
        if (!found.leftEarlier().isEmpty()) {
            out.plain("an earlier demo was killed and left traces: removing them");
            DemoMesh.removeLeftovers(home, run, found.leftEarlier());
            found = Traces.begin(home);
        }
        traces = found;
        Thread hook = Thread.ofPlatform().name("demo-clean-up").unstarted(() -> cleanUp(false));
        Runtime.getRuntime().addShutdownHook(hook);
        boolean good = false;
        try {
            if (hosts > 1) {
                HostsDemo several = new HostsDemo(out, hosts, home, folder);
                onHosts = several;
                several.run();
            } else {
                run(out, home, folder, run);
            }
            good = out.failures().isEmpty();
            if (!once) {
                if (hosts == 1) {
                    invite(out);
                }
                new CountDownLatch(1).await();
            }
        } finally {
            boolean clean = cleanUp(true);
            good &= clean;
        }
        summary(out);
        return good ? 0 : CommandFailure.NO;
    }

    private void run(Report out, Path home, Path folder, Path run) throws IOException, InterruptedException {
        out.plain(out.bold("Tulle demo: Bookinfo through the mesh"));
        long begun = System.nanoTime();
        DemoMesh own = new DemoMesh(home, folder, run);
        mesh = own;
        own.start(tier);
        MeshPlace place = new MeshPlace(DemoMesh.NAME, run);
        String active = activeTier(place);
        out.plain("mesh ready in " + millis(begun) + " ms, tier " + active + tierReason(place));
        if (tier != null && !tier.equals(active)) {
            throw new CommandFailure(CommandFailure.NO, "tier " + tier + " was asked for, " + active + " is active");
        }
        boolean ownPorts = active.equals("nftables") || active.equals("explicit");
        int publish = freePort(Programs.PORT);
        begun = System.nanoTime();
        Programs started = new Programs(home, folder);
        programs = started;
        Traffic traffic = new Traffic(URI.create("http://127.0.0.1:" + publish));
        DemoSteps steps = new DemoSteps(out, place, traffic, home.resolve("samples/bookinfo/config"), own.port(15090));
        steps.apply("services.yaml");
        steps.apply("destination-rules.yaml");
        steps.apply("../../stock/config/service.yaml");
        started.start(own.options(), publish, ownPorts);
        awaitPage(traffic, started, folder);
        steps.awaitReady("stock-v1", PAGE);
        if (traces != null) {
            traces.running(addressPrefixes(place));
        }
        out.plain(Programs.ALL.size() + " programs answer after " + millis(begun)
                + " ms, none of them knows of the mesh:");
        out.plain(
                "  productpage (Python) -> details (Java), reviews v1 v2 v3 (Java) -> ratings (Python);  stock (gRPC, Java)");
        out.plain("  the page: http://127.0.0.1:" + publish + "/productpage");
        steps.split();
        steps.allToOne();
        steps.oneUser();
        steps.delay();
        steps.explain();
        if (!ownPorts) {
            steps.outsider();
        }
        Edge front =
                new Edge(home.resolve("samples/stock/config/gateway.yaml"), run, freePort(EDGE_PORT), own.port(15091));
        edge = front;
        steps.gateway(front);
    }

    private void invite(Report out) {
        out.plain("");
        out.plain(out.bold("It goes on running.") + " Sign in as jason on the page (any password), or try:");
        if (edge != null) {
            out.plain("  curl --cacert " + edge.certificate() + " " + edge.page());
        }
        for (String example : List.of("status", "services", "routes", "get virtualservice")) {
            out.plain("  ./tulle " + example + " --mesh " + DemoMesh.NAME);
        }
        out.plain("  ./tulle apply --mesh " + DemoMesh.NAME
                + " -f samples/bookinfo/config/virtual-service-reviews-50-v3.yaml");
        out.plain("Ctrl-C stops everything and removes every trace.");
    }

    private static void summary(Report out) {
        out.plain("");
        for (String failure : out.failures()) {
            out.plain("failed: " + failure);
        }
        out.plain(out.passed() + " checks passed, " + out.failures().size() + " failed");
    }

    private static void awaitPage(Traffic traffic, Programs programs, Path folder)
            throws InterruptedException, IOException {
        long end = System.nanoTime() + PAGE.toNanos();
        // Every version several times: the proxy knows of a new program a moment before the kernel does, which then has
        // its requests go to the others alone.
        Map<String, Integer> seen = new TreeMap<>();
        while (seen.size() < VERSIONS || Collections.min(seen.values()) < EACH) {
            List<String> ended = programs.ended();
            if (!ended.isEmpty()) {
                Path log = folder.resolve(ended.getFirst() + ".log");
                throw new CommandFailure(
                        CommandFailure.NO, ended.getFirst() + " ended; the end of its log:", DemoMesh.lastLines(log));
            }
            Traffic.Answer answer = traffic.reviews("");
            if (answer.status() == 200) {
                seen.merge(answer.version(), 1, Integer::sum);
            } else if (System.nanoTime() > end) {
                throw new CommandFailure(
                        CommandFailure.NO,
                        "Bookinfo does not answer after " + PAGE.toSeconds() + " s (status " + answer.status()
                                + ", versions seen " + seen.keySet() + ")",
                        DemoMesh.lastLines(folder.resolve("productpage-v1.log")));
            } else {
                Thread.sleep(50);
            }
            if (System.nanoTime() > end + PAGE.toNanos()) {
                throw new CommandFailure(CommandFailure.NO, "only these versions of reviews answer: " + seen.keySet());
            }
        }
    }

    /** Stops and removes everything, once; true when nothing is left. */
    private boolean cleanUp(boolean regular) {
        if (cleaned.getAndSet(true)) {
            return true;
        }
        Report out = report == null ? new Report(out(), false) : report;
        try {
            out.plain("");
            out.plain(regular ? "Cleaning up." : "Stopping: removing every trace.");
            if (onHosts != null) {
                onHosts.end();
            }
            if (programs != null) {
                programs.stop();
            }
            if (edge != null) {
                edge.removeFiles();
            }
            if (mesh != null) {
                mesh.stop();
            }
            Set<String> left = traces == null ? Set.of() : traces.left();
            if (left.isEmpty()) {
                out.plain("Nothing is left: no process, cgroup, kernel program, map, pin, nft rule, route or file.");
                return true;
            }
            out.plain("LEFT BEHIND:");
            left.forEach(trace -> out.plain("  " + trace));
        } catch (IOException e) {
            out.plain("cannot tell what is left: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return false;
    }

    private static void refuseSecond(Path run) {
        if (LocalApiClient.answers(run.resolve("agent.sock"))) {
            OptionalLong pid = PidFile.living(run, "up");
            String supervisor = pid.isEmpty()
                    ? ""
                    : ProcessHandle.of(pid.getAsLong())
                            .flatMap(ProcessHandle::parent)
                            .map(parent -> "; stop its mesh with: kill " + parent.pid())
                            .orElse("");
            throw new CommandFailure(CommandFailure.NO, "a demo runs already" + supervisor);
        }
    }

    private static void emptyFolder(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
        Files.createDirectories(folder);
    }

    private static int freePort(int first) {
        for (int port = first; port < first + PORTS_TRIED; port++) {
            if (FreePorts.isFree(port)) {
                return port;
            }
        }
        throw new CommandFailure(CommandFailure.NO, "no free port from " + first + " to " + (first + PORTS_TRIED - 1));
    }

    /** How the mesh's own addresses begin, as tools write them. */
    private static List<String> addressPrefixes(MeshPlace place) {
        try (MeshClient agent = MeshClient.agent(place)) {
            // For example 100.64.0.0/24; the IPv6 twins end in the same bits, two bytes a group.
            String prefix = Json.text(agent.object("status", new JsonObject()), "prefix");
            String[] bytes = prefix.split("\\.", -1);
            if (bytes.length < 4) {
                return List.of();
            }
            int high = (Integer.parseInt(bytes[0]) << 8) + Integer.parseInt(bytes[1]);
            return List.of(bytes[0] + "." + bytes[1] + "." + bytes[2] + ".", ":" + Integer.toHexString(high) + ":");
        }
    }

    private static String activeTier(MeshPlace place) {
        try (MeshClient agent = MeshClient.agent(place)) {
            return Json.text(agent.object("status", new JsonObject()), "tier");
        }
    }

    private static String tierReason(MeshPlace place) {
        List<String> refused = new ArrayList<>();
        try (MeshClient agent = MeshClient.agent(place)) {
            for (JsonObject better : Json.objects(agent.object("status", new JsonObject()), "refused")) {
                refused.add(Json.text(better, "tier") + ": " + Json.text(better, "reason"));
            }
        }
        return refused.isEmpty() ? "" : " (" + String.join("; ", refused) + ")";
    }

    private static long millis(long since) {
        return Duration.ofNanos(System.nanoTime() - since).toMillis();
    }
}
