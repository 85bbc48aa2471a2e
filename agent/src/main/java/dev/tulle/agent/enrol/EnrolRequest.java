package dev.tulle.agent.enrol;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tulle.agent.enrol.EnrolSpec.Permit;
import dev.tulle.agent.enrol.EnrolSpec.Publication;
import dev.tulle.agent.enrol.EnrolSpec.Source;
import dev.tulle.agent.enrol.EnrolSpec.Splicing;
import dev.tulle.agent.enrol.RefusedException.Code;
import dev.tulle.common.Ip;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Workload.WorkloadPort;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Reads the parameters of {@code run} and {@code enrol} and says in one sentence what is wrong with them. Pure.
 *
 * <p>Ports are {@code [PROTO:]PORT}, publications {@code [ADDR:]PORT:PORT}, permits {@code host[:PORT]} or
 * {@code outside[:PORT]}, probes as {@link ProbeRequest} reads them.
 */
public final class EnrolRequest {
    private static final Set<String> FIELDS = Set.of(
            "name",
            "namespace",
            "service",
            "serviceAccount",
            "labels",
            "ports",
            "publish",
            "permit",
            "probes",
            "splice",
            "unit",
            "cgroup",
            "pid",
            "new",
            "enter");
    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern LABEL_KEY =
            Pattern.compile("([-a-z0-9.]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");
    private static final Pattern LABEL_VALUE = Pattern.compile("([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?");
    /** Ports that a workload may declare. */
    public static final int PORTS_MAX = 64;

    private EnrolRequest() {}

    /**
     * Reads a request.
     *
     * @throws RefusedException when a field is missing, unknown or has an unusable value
     */
    public static EnrolSpec parse(JsonObject params) throws RefusedException {
        for (String field : params.keySet()) {
            if (!FIELDS.contains(field)) {
                throw invalid("unknown field '" + field + "'; expected one of "
                        + FIELDS.stream().sorted().toList());
            }
        }
        String name = label("name", text(params, "name", ""));
        String namespace = label("namespace", text(params, "namespace", "default"));
        String service = text(params, "service", "");
        if (!service.isEmpty()) {
            for (String part : service.split("\\.", -1)) {
                label("service", part);
            }
        }
        String account = text(params, "serviceAccount", "default");
        label("service account", account);
        List<WorkloadPort> ports = ports(list(params, "ports"));
        List<Publication> publications = new ArrayList<>();
        for (JsonElement element : list(params, "publish")) {
            publications.add(publication(string("publish", element)));
        }
        List<Permit> permits = new ArrayList<>();
        for (JsonElement element : list(params, "permit")) {
            permits.add(permit(string("permit", element)));
        }
        List<Probe> probes = new ArrayList<>();
        for (JsonElement element : list(params, "probes")) {
            probes.add(ProbeRequest.parse(element, ports));
        }
        return new EnrolSpec(
                name,
                namespace,
                service,
                account,
                labels(params),
                ports,
                publications,
                permits,
                probes,
                splicing(text(params, "splice", Splicing.HTTP.word())),
                source(params));
    }

    private static Splicing splicing(String word) throws RefusedException {
        for (Splicing splicing : Splicing.values()) {
            if (splicing.word().equals(word)) {
                return splicing;
            }
        }
        throw invalid("splice: found '" + word + "', expected on, off or http");
    }

    private static Source source(JsonObject params) throws RefusedException {
        List<Source> sources = new ArrayList<>();
        if (params.has("unit")) {
            String unit = text(params, "unit", "");
            if (!unit.matches("[A-Za-z0-9@_.:\\\\-]{1,255}")) {
                throw invalid("unit '" + unit + "': expected the name of a systemd unit such as nginx.service");
            }
            sources.add(new Source.Unit(unit));
        }
        if (params.has("cgroup")) {
            sources.add(new Source.Group(text(params, "cgroup", "")));
        }
        if (params.has("pid")) {
            sources.add(new Source.Pid(number("pid", params.get("pid"), 1, Integer.MAX_VALUE)));
        }
        boolean enters = params.has("enter");
        if (isTrue(params, "new") || enters || sources.isEmpty()) {
            sources.add(new Source.NewGroup(enters ? number("enter", params.get("enter"), 1, Integer.MAX_VALUE) : 0));
        }
        if (sources.size() > 1) {
            throw invalid("expected only one of unit, cgroup, pid and new");
        }
        return sources.getFirst();
    }

    private static boolean isTrue(JsonObject params, String field) throws RefusedException {
        if (!params.has(field)) {
            return false;
        }
        if (params.get(field) instanceof JsonPrimitive primitive && primitive.isBoolean()) {
            return primitive.getAsBoolean();
        }
        throw invalid(field + ": expected true or false, found " + params.get(field));
    }

    private static Map<String, String> labels(JsonObject params) throws RefusedException {
        Map<String, String> labels = new LinkedHashMap<>();
        if (!params.has("labels")) {
            return labels;
        }
        if (!params.get("labels").isJsonObject()) {
            throw invalid("labels: expected an object of keys and values, found " + params.get("labels"));
        }
        for (Map.Entry<String, JsonElement> label :
                params.getAsJsonObject("labels").entrySet()) {
            String value = string("label " + label.getKey(), label.getValue());
            if (!LABEL_KEY.matcher(label.getKey()).matches()) {
                throw invalid("label '" + label.getKey() + "': expected letters, digits, '-', '_' and '.'");
            }
            if (!LABEL_VALUE.matcher(value).matches()) {
                throw invalid("label " + label.getKey() + ", value '" + value
                        + "': expected at most 63 letters, digits, '-', '_' and '.'");
            }
            labels.put(label.getKey(), value);
        }
        return labels;
    }

    private static List<WorkloadPort> ports(JsonArray array) throws RefusedException {
        List<WorkloadPort> ports = new ArrayList<>();
        for (JsonElement element : array) {
            String text = string("port", element);
            int colon = text.indexOf(':');
            String protocol = colon < 0 ? "auto" : text.substring(0, colon);
            AppProtocol parsed = AppProtocol.parse(protocol)
                    .orElseThrow(() -> invalid("port '" + text + "': unknown protocol '" + protocol
                            + "'; expected http, http2, grpc, tcp, tls, udp or auto"));
            int number = port("port '" + text + "'", text.substring(colon + 1));
            for (WorkloadPort other : ports) {
                if (other.number() == number && (other.protocol() == AppProtocol.UDP) == (parsed == AppProtocol.UDP)) {
                    throw invalid("port " + number + " is declared twice");
                }
            }
            ports.add(new WorkloadPort(number, parsed));
        }
        if (ports.size() > PORTS_MAX) {
            throw invalid(ports.size() + " ports: expected at most " + PORTS_MAX);
        }
        return ports;
    }

    /** Reads {@code [ADDR:]PORT:PORT}; an IPv6 address stands in brackets. */
    static Publication publication(String text) throws RefusedException {
        int last = text.lastIndexOf(':');
        if (last <= 0) {
            throw invalid("publish '" + text + "': expected [ADDRESS:]PORT:PORT, such as 8080:9080");
        }
        int target = port("publish '" + text + "'", text.substring(last + 1));
        String front = text.substring(0, last);
        int colon = front.lastIndexOf(':');
        if (colon < 0) {
            return new Publication(Publication.ALL, port("publish '" + text + "'", front), target);
        }
        String address = front.substring(0, colon);
        if (address.startsWith("[") && address.endsWith("]")) {
            address = address.substring(1, address.length() - 1);
        }
        if (!address.equals(Publication.ALL) && Ip.parse(address).isEmpty()) {
            throw invalid("publish '" + text + "': '" + address + "' is no IP address");
        }
        return new Publication(address, port("publish '" + text + "'", front.substring(colon + 1)), target);
    }

    static Permit permit(String text) throws RefusedException {
        int colon = text.indexOf(':');
        String who = colon < 0 ? text : text.substring(0, colon);
        if (!who.equals("host") && !who.equals("outside")) {
            throw invalid("permit '" + text + "': expected host[:PORT] or outside[:PORT]");
        }
        return new Permit(who.equals("host"), colon < 0 ? 0 : port("permit '" + text + "'", text.substring(colon + 1)));
    }

    private static String label(String what, String text) throws RefusedException {
        if (text.isEmpty()) {
            throw invalid("the workload's " + what + " is missing");
        }
        if (!LABEL.matcher(text).matches()) {
            throw invalid(what + " '" + text
                    + "': expected at most 63 lower-case letters, digits and '-', beginning and ending with a letter"
                    + " or digit");
        }
        return text;
    }

    static int port(String what, String text) throws RefusedException {
        if (!text.matches("[0-9]{1,5}") || Integer.parseInt(text) < 1 || Integer.parseInt(text) > 65535) {
            throw invalid(what + ": expected a port from 1 to 65535, found '" + text + "'");
        }
        return Integer.parseInt(text);
    }

    static long number(String what, JsonElement element, long min, long max) throws RefusedException {
        if (element instanceof JsonPrimitive primitive
                && primitive.getAsString().matches("[0-9]{1,18}")) {
            long value = primitive.getAsLong();
            if (value >= min && value <= max) {
                return value;
            }
        }
        throw invalid(what + ": expected a number from " + min + " to " + max + ", found " + element);
    }

    private static JsonArray list(JsonObject params, String field) throws RefusedException {
        JsonElement element = params.get(field);
        if (element == null || element.isJsonNull()) {
            return new JsonArray();
        }
        if (!element.isJsonArray()) {
            throw invalid(field + ": expected a list, found " + element);
        }
        return element.getAsJsonArray();
    }

    static String text(JsonObject params, String field, String fallback) throws RefusedException {
        JsonElement element = params.get(field);
        return element == null || element.isJsonNull() ? fallback : string(field, element);
    }

    static String string(String what, JsonElement element) throws RefusedException {
        if (element instanceof JsonPrimitive primitive && (primitive.isString() || primitive.isNumber())) {
            return primitive.getAsString();
        }
        throw invalid(what + ": expected a text, found " + element);
    }

    static RefusedException invalid(String message) {
        return new RefusedException(Code.INVALID, message);
    }
}
