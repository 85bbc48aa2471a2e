package dev.tulle.agent.enrol;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.agent.enrol.EnrolSpec.Source;
import dev.tulle.agent.enrol.EnrolSpec.Splicing;
import dev.tulle.agent.enrol.Probe.Check;
import java.util.Locale;

/** Writes an {@link EnrolSpec} as the request that {@link EnrolRequest} reads it back from. Pure. */
final class EnrolJson {
    private EnrolJson() {}

    static JsonObject toJson(EnrolSpec spec) {
        JsonObject json = new JsonObject();
        json.addProperty("name", spec.name());
        json.addProperty("namespace", spec.namespace());
        if (!spec.service().isEmpty()) {
            json.addProperty("service", spec.service());
        }
        json.addProperty("serviceAccount", spec.serviceAccount());
        JsonObject labels = new JsonObject();
        spec.labels().forEach(labels::addProperty);
        json.add("labels", labels);
        JsonArray ports = new JsonArray();
        spec.ports().forEach(port -> ports.add(port.protocol().name().toLowerCase(Locale.ROOT) + ":" + port.number()));
        json.add("ports", ports);
        JsonArray publish = new JsonArray();
        spec.publications()
                .forEach(one -> publish.add("[" + one.address() + "]:" + one.port() + ":" + one.targetPort()));
        json.add("publish", publish);
        JsonArray permits = new JsonArray();
        spec.permits()
                .forEach(one ->
                        permits.add((one.host() ? "host" : "outside") + (one.port() == 0 ? "" : ":" + one.port())));
        json.add("permit", permits);
        JsonArray probes = new JsonArray();
        spec.probes().forEach(probe -> probes.add(toJson(probe)));
        json.add("probes", probes);
        if (spec.splicing() != Splicing.HTTP) {
            json.addProperty("splice", spec.splicing().word());
        }
        switch (spec.source()) {
            case Source.NewGroup _ -> json.addProperty("new", true);
            case Source.Unit(String unit) -> json.addProperty("unit", unit);
            case Source.Group(String path) -> json.addProperty("cgroup", path);
            case Source.Pid(long pid) -> json.addProperty("pid", pid);
        }
        return json;
    }

    private static JsonObject toJson(Probe probe) {
        JsonObject json = new JsonObject();
        JsonObject check = new JsonObject();
        switch (probe.check()) {
            case Check.Tcp(int port) -> {
                check.addProperty("port", port);
                json.add("tcpSocket", check);
            }
            case Check.Http(int port, String path) -> {
                check.addProperty("port", port);
                check.addProperty("path", path);
                json.add("httpGet", check);
            }
            case Check.Grpc(int port, String service) -> {
                check.addProperty("port", port);
                check.addProperty("service", service);
                json.add("grpc", check);
            }
            case Check.Exec(var command) -> {
                JsonArray words = new JsonArray();
                command.forEach(words::add);
                check.add("command", words);
                json.add("exec", check);
            }
        }
        json.addProperty("initialDelaySeconds", probe.initialDelay().toSeconds());
        json.addProperty("periodMillis", probe.interval().toMillis());
        json.addProperty("timeoutMillis", probe.timeout().toMillis());
        json.addProperty("successThreshold", probe.successes());
        json.addProperty("failureThreshold", probe.failures());
        return json;
    }
}
