package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.Json;
import dev.tulle.cli.client.MeshClient;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.output.Output;
import dev.tulle.cli.output.Table;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** The lists of what the mesh knows: one command each, the same options. */
public final class ListCommands {
    private ListCommands() {}

    /** Elements of a result that is an array itself or holds it under the given name. */
    static JsonElement elements(JsonElement result, String name) {
        if (result instanceof JsonObject object) {
            JsonElement member = object.get(name);
            return member == null ? new JsonArray() : member;
        }
        return result;
    }

    /** One list: the control plane's method, and how a row looks. */
    abstract static class ListCommand extends BaseCommand {
        @Mixin
        private final MeshPlace place = new MeshPlace();

        @Mixin
        private final NamespaceOptions namespace = new NamespaceOptions();

        @Mixin
        private final Output output = new Output();

        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Only those whose name contains this.")
        private @Nullable String name;

        private final String method;

        ListCommand(String method) {
            this.method = method;
        }

        /** Adds what others than the control plane know. */
        void enrich(JsonArray elements, MeshPlace at) {}

        abstract Table table();

        abstract void addRows(Table table, JsonObject element);

        @Override
        public final Integer call() {
            JsonElement result;
            try (MeshClient control = MeshClient.control(place)) {
                result = control.call(method, new JsonObject());
            }
            JsonArray shown = new JsonArray();
            for (JsonObject element : Json.objects(namespace.filter(elements(result, method)))) {
                if (name == null || named(element).contains(name)) {
                    shown.add(element);
                }
            }
            enrich(shown, place);
            output.print(out(), shown, () -> text(shown));
            if (name != null && shown.isEmpty()) {
                System.err.println("tulle " + method + ": none whose name contains '" + name + "'");
            }
            return 0;
        }

        private static String named(JsonObject element) {
            return Json.text(element, "name")
                    + ' '
                    + Json.text(element, "hostname")
                    + ' '
                    + Json.text(element, "cluster");
        }

        private String text(JsonArray elements) {
            Table table = table();
            List<JsonObject> sorted = new ArrayList<>(Json.objects(elements));
            sorted.sort(Comparator.comparing((JsonObject element) -> Json.text(element, "namespace"))
                    .thenComparing(ListCommand::named));
            sorted.forEach(element -> addRows(table, element));
            return table.text(Output.colour());
        }
    }

    /** Running instances. */
    @Command(name = "workloads", description = "Lists workloads.")
    public static final class Workloads extends ListCommand {
        private static final List<String> COUNTS = List.of(
                "bytesSent",
                "bytesReceived",
                "meshBytesSent",
                "meshBytesReceived",
                "wireBytesSent",
                "wireBytesReceived",
                "wirePacketsSent",
                "wirePacketsReceived",
                "connections",
                "connectionsOpened",
                "connectionsAccepted",
                "listens",
                "unreachable");

        /** Makes the command. */
        public Workloads() {
            super("workloads");
        }

        @Override
        Table table() {
            return new Table(
                    "NAMESPACE",
                    "NAME",
                    "ADDRESS",
                    "SERVICES",
                    "PORTS",
                    "READY",
                    "CONNS",
                    "IN",
                    "OUT",
                    "LABELS",
                    "NODE");
        }

        /** What this host's agent counts; workloads of other hosts, and all when it does not answer, go without. */
        @Override
        void enrich(JsonArray elements, MeshPlace at) {
            Map<String, JsonObject> counted = new HashMap<>();
            try (MeshClient agent = MeshClient.agent(at)) {
                for (JsonObject workload :
                        Json.objects(elements(agent.call("workloads", new JsonObject()), "workloads"))) {
                    counted.put(Json.text(workload, "uid"), workload);
                }
            } catch (CommandFailure _) {
                return;
            }
            for (JsonObject workload : Json.objects(elements)) {
                JsonObject counts = counted.get(Json.text(workload, "uid"));
                if (counts != null) {
                    COUNTS.stream().filter(counts::has).forEach(name -> workload.add(name, counts.get(name)));
                }
            }
        }

        /** Who listens where the mesh cannot reach it is not ready, whatever probes it has. */
        private static String ready(JsonObject workload) {
            String unreachable = workload.has("unreachable") ? Json.text(workload, "unreachable") : "";
            return unreachable.isEmpty() ? Json.bool(workload, "healthy") ? "yes" : "no" : "no (" + unreachable + ")";
        }

        private static String bytes(JsonObject workload, String name) {
            if (!workload.has(name)) {
                return "-";
            }
            double value = Json.number(workload, name);
            String[] units = {"B", "KiB", "MiB", "GiB", "TiB"};
            int unit = 0;
            while (value >= 1024 && unit < units.length - 1) {
                value /= 1024;
                unit++;
            }
            return String.format(Locale.ROOT, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
        }

        @Override
        void addRows(Table table, JsonObject workload) {
            table.row(
                    Json.text(workload, "namespace"),
                    Json.text(workload, "name"),
                    first(workload, "addresses"),
                    Json.text(workload, "services"),
                    ports(workload),
                    ready(workload),
                    workload.has("connections") ? Long.toString(Json.number(workload, "connections")) : "-",
                    bytes(workload, "bytesReceived"),
                    bytes(workload, "bytesSent"),
                    Json.text(workload, "labels"),
                    Json.text(workload, "node"));
        }
    }

    /** Stable names. */
    @Command(name = "services", description = "Lists services, and which data path each port takes.")
    public static final class Services extends ListCommand {
        /** Makes the command. */
        public Services() {
            super("services");
        }

        @Override
        Table table() {
            return new Table("NAMESPACE", "NAME", "ADDRESS", "PORT", "PROTOCOL", "PATH", "WHY");
        }

        /** Which way the ports go on this host, where it uses them: only its agent knows. */
        @Override
        void enrich(JsonArray elements, MeshPlace at) {
            Map<String, JsonObject> used = new HashMap<>();
            try (MeshClient agent = MeshClient.agent(at)) {
                JsonObject report = agent.object("paths", Json.of("requests", "false"));
                for (JsonObject port : Json.objects(report, "ports")) {
                    used.put(Json.text(port, "service") + ' ' + Json.text(port, "port"), port);
                }
            } catch (CommandFailure _) {
                return;
            }
            for (JsonObject service : Json.objects(elements)) {
                for (JsonObject path : Json.objects(service, "paths")) {
                    JsonObject port = used.get(Json.text(service, "hostname") + ' ' + Json.text(path, "port"));
                    if (port != null) {
                        path.add("onThisHost", port);
                    }
                }
            }
        }

        /** The path and why not a faster one; of a port that this host does not use, what is decided for all. */
        private static List<String> way(JsonObject path, String protocol) {
            JsonObject here = Json.object(path, "onThisHost");
            if (!here.has("path")) {
                String decided =
                        Json.text(path, "path").toLowerCase(Locale.ROOT).replace('_', '-');
                boolean http = !decided.startsWith("kernel") && protocol.equalsIgnoreCase("http");
                return List.of(http ? "kernel-http or proxy" : decided, Json.text(path, "reason"));
            }
            String reason = Json.text(here, "reason");
            for (JsonObject route : Json.objects(here, "routes")) {
                if (reason.isEmpty() && !Json.text(route, "path").equals(Json.text(here, "path"))) {
                    reason = "but route " + Json.text(route, "name") + " by " + Json.text(route, "path") + ": "
                            + Json.text(route, "reason");
                }
            }
            return List.of(Json.text(here, "path"), reason);
        }

        @Override
        void addRows(Table table, JsonObject service) {
            List<JsonObject> paths = Json.objects(service, "paths");
            List<JsonObject> ports = Json.objects(service, "ports");
            String hostname = Json.text(service, "hostname");
            for (int i = 0; i < ports.size(); i++) {
                String protocol = Json.text(ports.get(i), "protocol");
                List<String> way = way(i < paths.size() ? paths.get(i) : ports.get(i), protocol);
                table.row(
                        Json.text(service, "namespace"),
                        hostname,
                        first(service, "addresses"),
                        Json.text(ports.get(i), "number"),
                        protocol,
                        way.getFirst(),
                        way.getLast());
            }
        }
    }

    /** Where services are served. */
    @Command(name = "endpoints", description = "Lists the endpoints of every service port and subset.")
    public static final class Endpoints extends ListCommand {
        /** Makes the command. */
        public Endpoints() {
            super("endpoints");
        }

        @Override
        Table table() {
            return new Table("CLUSTER", "ENDPOINT", "WORKLOAD", "LOCALITY", "WEIGHT", "READY");
        }

        @Override
        void addRows(Table table, JsonObject set) {
            List<JsonObject> endpoints = Json.objects(set, "endpoints");
            if (endpoints.isEmpty()) {
                table.row(Json.text(set, "cluster"), "none", "", "", "", "");
            }
            for (JsonObject endpoint : endpoints) {
                table.row(
                        Json.text(set, "cluster"),
                        Json.text(endpoint, "address") + ":" + Json.text(endpoint, "port"),
                        Json.text(endpoint, "workload"),
                        Json.text(endpoint, "locality"),
                        Json.text(endpoint, "weight"),
                        Json.bool(endpoint, "healthy") ? "yes" : "no");
            }
        }
    }

    /** What requests match. */
    @Command(name = "routes", description = "Lists routes in the order in which they are tried.")
    public static final class Routes extends ListCommand {
        /** Makes the command. */
        public Routes() {
            super("routes");
        }

        @Override
        Table table() {
            return new Table("SERVICE", "ROUTE", "MATCH", "ACTION", "FROM");
        }

        @Override
        void addRows(Table table, JsonObject configuration) {
            for (JsonObject route : Json.objects(configuration, "routes")) {
                table.row(
                        Json.text(configuration, "name"),
                        Json.text(route, "name"),
                        Json.text(route, "match"),
                        Json.text(route, "action"),
                        Json.text(route, "origin"));
            }
        }
    }

    private static String first(JsonObject element, String name) {
        return element.get(name) instanceof JsonArray array && !array.isEmpty() ? Json.plain(array.get(0)) : "";
    }

    private static String ports(JsonObject workload) {
        List<String> ports = new ArrayList<>();
        for (JsonObject port : Json.objects(workload, "ports")) {
            ports.add(Json.text(port, "protocol").toLowerCase(java.util.Locale.ROOT) + ":" + Json.text(port, "number"));
        }
        return String.join(",", ports);
    }
}
