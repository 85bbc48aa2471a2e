package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** What a workload is, as {@code run} and {@code enrol} take it. A picocli mixin. */
final class LeaseOptions {
    @Option(names = "--name", required = true, paramLabel = "NAME", description = "The workload's name.")
    @SuppressWarnings("NullAway.Init") // set by picocli: the option is required
    private String name;

    @Option(names = "--namespace", paramLabel = "NS", description = "Its namespace. Default: default.")
    private String namespace = NamespaceOptions.DEFAULT;

    @Option(names = "--service", paramLabel = "SERVICE", description = "A service it belongs to; repeatable.")
    private List<String> services = new ArrayList<>();

    @Option(names = "--service-account", paramLabel = "SA", description = "Its identity. Default: default.")
    private String serviceAccount = "default";

    @Option(names = "--label", paramLabel = "K=V", description = "A label, for example version=v1; repeatable.")
    private Map<String, String> labels = new LinkedHashMap<>();

    @Option(
            names = "--port",
            paramLabel = "[PROTO:]PORT",
            description =
                    "A port it listens on, for example http:9080; repeatable. Protocols: http, tcp, auto (default).")
    private List<String> ports = new ArrayList<>();

    @Option(
            names = "--publish",
            paramLabel = "[ADDR:]PORT:PORT",
            description = "Opens a port to callers outside the mesh: host port, workload port; repeatable.")
    private List<String> publish = new ArrayList<>();

    @Option(
            names = "--readiness",
            paramLabel = "PROBE",
            description = "When it may get traffic: tcp:PORT, http:PORT/PATH or exec:COMMAND; repeatable.")
    private List<String> probes = new ArrayList<>();

    String name() {
        return name;
    }

    /** The parameters of the agent's {@code run}. */
    JsonObject params() {
        return Json.of(
                "name", name,
                "namespace", namespace,
                "services", Json.texts(services),
                "serviceAccount", serviceAccount,
                "labels", labelObject(),
                "ports", portArray(),
                "publish", publishArray(),
                "probes", Json.texts(probes));
    }

    private JsonObject labelObject() {
        JsonObject object = new JsonObject();
        labels.forEach(object::addProperty);
        return object;
    }

    private JsonArray portArray() {
        JsonArray array = new JsonArray();
        for (String text : ports) {
            int colon = text.indexOf(':');
            String protocol = colon < 0 ? "auto" : text.substring(0, colon);
            array.add(Json.of("protocol", protocol, "number", port("--port", text, text.substring(colon + 1))));
        }
        return array;
    }

    private JsonArray publishArray() {
        JsonArray array = new JsonArray();
        for (String text : publish) {
            int last = text.lastIndexOf(':');
            if (last < 0) {
                throw new CommandFailure(CommandFailure.USAGE, "--publish: '" + text + "': expected [ADDR:]PORT:PORT");
            }
            int first = text.lastIndexOf(':', last - 1);
            array.add(Json.of(
                    "address", first < 0 ? "" : unbracketed(text.substring(0, first)),
                    "port", port("--publish", text, text.substring(first + 1, last)),
                    "targetPort", port("--publish", text, text.substring(last + 1))));
        }
        return array;
    }

    private static String unbracketed(String address) {
        return address.startsWith("[") && address.endsWith("]") ? address.substring(1, address.length() - 1) : address;
    }

    private static int port(String option, String whole, String text) {
        int number;
        try {
            number = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            number = 0;
        }
        if (number < 1 || number > 65535) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    option + ": '" + whole + "': '" + text + "' is no port; expected a number from 1 to 65535");
        }
        return number;
    }
}
