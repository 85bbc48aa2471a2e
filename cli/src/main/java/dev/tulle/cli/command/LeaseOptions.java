package dev.tulle.cli.command;

import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** What a workload is, as {@code run} and {@code enrol} take it. A picocli mixin. */
final class LeaseOptions {
    /** The label by which selectors know a service's workloads. */
    private static final String APP = "app";

    @Option(names = "--name", required = true, paramLabel = "NAME", description = "The workload's name.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the option is required
    private String name;

    @Option(names = "--namespace", paramLabel = "NS", description = "Its namespace. Default: default.")
    private String namespace = NamespaceOptions.DEFAULT;

    @Option(
            names = "--service",
            paramLabel = "SERVICE",
            description = "The service it belongs to; also its label app, unless that is given.")
    private String service = "";

    @Option(names = "--service-account", paramLabel = "SA", description = "Its identity. Default: default.")
    private String serviceAccount = "default";

    @Option(names = "--label", paramLabel = "K=V", description = "A label, for example version=v1; repeatable.")
    private Map<String, String> labels = new LinkedHashMap<>();

    @Option(
            names = "--port",
            paramLabel = "[PROTO:]PORT",
            description =
                    "A port it listens on, for example http:9080; repeatable. Protocols: http, http2, grpc, tcp, tls,"
                            + " udp, auto (default).")
    private List<String> ports = new ArrayList<>();

    @Option(
            names = "--publish",
            paramLabel = "[ADDR:]PORT:PORT",
            description = "Opens a port to callers outside the mesh: host port, workload port; repeatable.")
    private List<String> publish = new ArrayList<>();

    @Option(
            names = "--permit",
            paramLabel = "WHO[:PORT]",
            description = "Lets callers outside the mesh reach it directly: host or outside; repeatable.")
    private List<String> permits = new ArrayList<>();

    @Option(
            names = "--readiness",
            paramLabel = "PROBE",
            description =
                    "When it may get traffic: tcp:PORT, http:PORT/PATH, grpc:PORT/SERVICE or exec:COMMAND; repeatable.")
    private List<String> probes = new ArrayList<>();

    @Option(
            names = "--splice",
            paramLabel = "WHICH",
            description =
                    "Which of its connections may skip TCP: http (those that speak HTTP, where no program notices;"
                            + " default), on (all, with others of this kind; docs/splicing.md has what programs notice), off.")
    private String splice = "http";

    /** Passes on what the agent thinks of a lease that it gave. */
    static void warn(JsonObject result, PrintStream err, String command) {
        if (result.has("warnings")) {
            result.getAsJsonArray("warnings")
                    .forEach(warning -> err.println("tulle " + command + ": " + Json.plain(warning)));
            err.flush();
        }
    }

    /** The parameters of the agent's {@code run}. */
    JsonObject params() {
        return Json.of(
                "name",
                name,
                "namespace",
                namespace,
                "service",
                service,
                "serviceAccount",
                serviceAccount,
                "labels",
                labelObject(),
                "ports",
                Json.texts(ports),
                "publish",
                Json.texts(publish),
                "permit",
                Json.texts(permits),
                "probes",
                Json.texts(probes),
                "splice",
                splice);
    }

    private JsonObject labelObject() {
        JsonObject object = new JsonObject();
        labels.forEach(object::addProperty);
        // What selects workloads by their service does so by this label, as everywhere.
        if (!service.isEmpty() && !labels.containsKey(APP)) {
            object.addProperty(APP, service);
        }
        return object;
    }
}
