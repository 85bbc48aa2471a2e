package dev.tulle.agent.enrol;

import static dev.tulle.agent.enrol.EnrolRequest.invalid;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.agent.enrol.Probe.Check;
import dev.tulle.model.Workload.WorkloadPort;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads one readiness probe: as text ({@code tcp:9080}, {@code http:9080/health}, {@code grpc:9080/SERVICE},
 * {@code exec:COMMAND ARGUMENT…}; the port may be left out when the workload declares one), or as an object with
 * Kubernetes' fields ({@code httpGet}, {@code tcpSocket}, {@code grpc}, {@code exec}, {@code periodSeconds}, {@code timeoutSeconds}, {@code initialDelaySeconds},
 * {@code successThreshold}, {@code failureThreshold}; {@code periodMillis} and {@code timeoutMillis} for finer steps).
 */
final class ProbeRequest {
    private static final Set<String> FIELDS = Set.of(
            "httpGet",
            "tcpSocket",
            "grpc",
            "exec",
            "periodSeconds",
            "periodMillis",
            "timeoutSeconds",
            "timeoutMillis",
            "initialDelaySeconds",
            "successThreshold",
            "failureThreshold");
    private static final Pattern SHORT_FORM = Pattern.compile("([a-z]+):?((?s).*)");
    /** Far below what one byte can tell the length of. */
    private static final int SERVICE_MAX = 100;

    private static final int THRESHOLD_MAX = 100;
    private static final long MILLIS_MAX = 3_600_000;

    private ProbeRequest() {}

    static Probe parse(JsonElement element, List<WorkloadPort> ports) throws RefusedException {
        if (!element.isJsonObject()) {
            return Probe.of(shortForm(EnrolRequest.string("probe", element), ports));
        }
        JsonObject probe = element.getAsJsonObject();
        for (String field : probe.keySet()) {
            if (!FIELDS.contains(field)) {
                throw invalid("probe: unknown field '" + field + "'; expected one of "
                        + FIELDS.stream().sorted().toList());
            }
        }
        List<Check> checks = new ArrayList<>();
        if (probe.has("httpGet")) {
            JsonObject get = object(probe, "httpGet");
            checks.add(new Check.Http(port(get, ports), path(EnrolRequest.text(get, "path", "/"))));
        }
        if (probe.has("tcpSocket")) {
            checks.add(new Check.Tcp(port(object(probe, "tcpSocket"), ports)));
        }
        if (probe.has("grpc")) {
            JsonObject grpc = object(probe, "grpc");
            checks.add(new Check.Grpc(port(grpc, ports), service(EnrolRequest.text(grpc, "service", ""))));
        }
        if (probe.has("exec")) {
            checks.add(exec(object(probe, "exec")));
        }
        if (checks.size() != 1) {
            throw invalid("probe: expected exactly one of httpGet, tcpSocket, grpc and exec, found " + checks.size());
        }
        return new Probe(
                checks.getFirst(),
                Duration.ofSeconds(number(probe, "initialDelaySeconds", 0, 0, MILLIS_MAX / 1000)),
                time(probe, "period", Probe.DEFAULT_INTERVAL),
                time(probe, "timeout", Probe.DEFAULT_TIMEOUT),
                (int) number(probe, "successThreshold", Probe.DEFAULT_SUCCESSES, 1, THRESHOLD_MAX),
                (int) number(probe, "failureThreshold", Probe.DEFAULT_FAILURES, 1, THRESHOLD_MAX));
    }

    private static Check shortForm(String text, List<WorkloadPort> ports) throws RefusedException {
        Matcher parts = SHORT_FORM.matcher(text);
        String kind = parts.matches() ? parts.group(1) : text;
        String rest = parts.matches() ? parts.group(2) : "";
        switch (kind) {
            case "tcp" -> {
                return new Check.Tcp(
                        rest.isEmpty() ? mainPort(ports) : EnrolRequest.port("probe '" + text + "'", rest));
            }
            case "http" -> {
                int slash = rest.indexOf('/');
                String port = slash < 0 ? rest : rest.substring(0, slash);
                return new Check.Http(
                        port.isEmpty() ? mainPort(ports) : EnrolRequest.port("probe '" + text + "'", port),
                        path(slash < 0 ? "/" : rest.substring(slash)));
            }
            case "grpc" -> {
                int slash = rest.indexOf('/');
                String port = slash < 0 ? rest : rest.substring(0, slash);
                return new Check.Grpc(
                        port.isEmpty() ? mainPort(ports) : EnrolRequest.port("probe '" + text + "'", port),
                        service(slash < 0 ? "" : rest.substring(slash + 1)));
            }
            case "exec" -> {
                if (rest.isBlank()) {
                    throw invalid("probe '" + text + "': expected a command after exec:");
                }
                return new Check.Exec(List.of(rest.strip().split("\\s+")));
            }
            default ->
                throw invalid("probe '" + text + "': expected tcp[:PORT], http[:PORT][/PATH], "
                        + "grpc[:PORT][/SERVICE] or exec:COMMAND");
        }
    }

    private static Check exec(JsonObject exec) throws RefusedException {
        List<String> command = new ArrayList<>();
        if (exec.has("command") && exec.get("command").isJsonArray()) {
            for (JsonElement word : exec.getAsJsonArray("command")) {
                command.add(EnrolRequest.string("probe, exec.command", word));
            }
        }
        if (command.isEmpty()) {
            throw invalid("probe, exec.command: expected a list with a command and its arguments");
        }
        return new Check.Exec(command);
    }

    private static String path(String path) throws RefusedException {
        boolean plain = path.startsWith("/") && path.chars().allMatch(c -> c > ' ' && c < 127);
        if (!plain) {
            throw invalid("probe, path '" + path + "': expected a path that begins with '/' and holds no spaces");
        }
        return path;
    }

    private static String service(String name) throws RefusedException {
        if (name.length() > SERVICE_MAX || !name.chars().allMatch(c -> c > ' ' && c < 127)) {
            throw invalid("probe, service '" + name + "': expected a name of at most " + SERVICE_MAX
                    + " characters without spaces");
        }
        return name;
    }

    private static int port(JsonObject check, List<WorkloadPort> ports) throws RefusedException {
        return check.has("port")
                ? (int) EnrolRequest.number("probe, port", check.get("port"), 1, 65535)
                : mainPort(ports);
    }

    private static int mainPort(List<WorkloadPort> ports) throws RefusedException {
        if (ports.isEmpty()) {
            throw invalid("probe without a port: the workload declares no port that could be meant");
        }
        return ports.getFirst().number();
    }

    private static JsonObject object(JsonObject probe, String field) throws RefusedException {
        if (!probe.get(field).isJsonObject()) {
            throw invalid("probe, " + field + ": expected an object, found " + probe.get(field));
        }
        return probe.getAsJsonObject(field);
    }

    private static Duration time(JsonObject probe, String what, Duration fallback) throws RefusedException {
        if (probe.has(what + "Millis")) {
            return Duration.ofMillis(number(probe, what + "Millis", 0, 10, MILLIS_MAX));
        }
        return probe.has(what + "Seconds")
                ? Duration.ofSeconds(number(probe, what + "Seconds", 0, 1, MILLIS_MAX / 1000))
                : fallback;
    }

    private static long number(JsonObject probe, String field, long fallback, long min, long max)
            throws RefusedException {
        return probe.has(field) ? EnrolRequest.number("probe, " + field, probe.get(field), min, max) : fallback;
    }
}
