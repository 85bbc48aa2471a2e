package dev.tulle.config;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Decoders of parts that several Istio kinds share. */
final class IstioFields {
    private static final int PARTS = 1_000_000;
    private static final int MAX_REGEX = 1024;

    /** Istio's least share that is not none: one in a million, in percent. */
    private static final double LEAST_SHARE = 0.0001;

    private static final String HOST = "a service name, a host name, '*' or '*.suffix'";

    private IstioFields() {}

    /** Reports what the mesh cannot resolve: an absent one was reported already. Patterns count as resolvable. */
    static void checkHost(Fields fields, String name, String host) {
        if (!host.isEmpty() && !Names.isDomainOrPattern(host)) {
            fields.error(name, HOST, "not a host");
        } else if (!host.isEmpty() && !isHost(host)) {
            fields.unsupportedForm(name, HOST, "a host name of an unusual form");
        }
    }

    /** The same for an entry of a list. */
    static void checkHost(Item item) {
        if (!Names.isDomainOrPattern(item.text())) {
            item.error(HOST, "not a host");
        } else if (!isHost(item.text())) {
            item.unsupportedForm(HOST, "a host name of an unusual form");
        }
    }

    /** True for what the mesh can resolve. */
    static boolean isHost(String host) {
        String name = host.toLowerCase(Locale.ROOT);
        if (name.equals("*")) {
            return true;
        }
        return Words.isDnsName(name.startsWith("*.") ? name.substring(2) : name);
    }

    /**
     * Everything is visible everywhere in this version; anything narrower is refused.
     *
     * @param namespace of the resource
     * @param mayHide whether {@code ~}, nobody, is a value
     */
    static void exportTo(Fields spec, String namespace, boolean mayHide) {
        List<Item> entries = spec.texts("exportTo");
        Set<String> seen = new HashSet<>();
        boolean right = true;
        for (Item entry : entries) {
            String to = entry.text().equals(".") ? namespace : entry.text();
            boolean everybody = to.equals("*");
            boolean nobody = to.equals("~") && mayHide;
            if (!seen.add(to)) {
                entry.error("each namespace once", "this namespace is here twice");
                right = false;
            } else if (!everybody && !nobody && !Names.isLabel(to)) {
                entry.error("\"*\", \".\" or a namespace", "not a namespace");
                right = false;
            } else if ((everybody || nobody) && entries.size() > 1) {
                entry.error("\"" + to + "\" alone", "everybody or nobody beside other entries");
                right = false;
            }
        }
        if (right && !entries.isEmpty() && !seen.contains("*")) {
            spec.unsupportedValue("exportTo", "restricted visibility", "\"*\" or nothing");
        }
    }

    /** The gateways for which something holds, as {@link VirtualService#gateways}; in Istio's older form as well, NAME.NAMESPACE…. */
    static List<String> gateways(Fields owner, String namespace) {
        List<String> out = new ArrayList<>();
        for (Item gateway : owner.texts("gateways")) {
            String name = gateway.text();
            int slash = name.indexOf('/');
            boolean right = slash < 0
                    ? Names.isDomain(name)
                    : Names.isLabel(name.substring(0, slash)) && Names.isLabel(name.substring(slash + 1));
            if (!right) {
                gateway.error("\"mesh\", or NAMESPACE/NAME of a gateway", "not the name of a gateway");
            } else if (slash >= 0 || name.equals(VirtualService.MESH)) {
                out.add(name);
            } else {
                String[] labels = name.split("\\.", -1);
                out.add((labels.length > 1 ? labels[1] : namespace) + "/" + labels[0]);
            }
        }
        return out;
    }

    /** Labels of workloads, as Kubernetes takes them. */
    static Map<String, String> labels(Fields owner, String name) {
        Map<String, String> labels = new LinkedHashMap<>();
        owner.object(name)
                .ifPresent(map -> map.names().forEach(key -> map.string(key).ifPresent(value -> {
                    if (!Names.isLabelKey(key)) {
                        map.error(
                                key,
                                "NAME or DOMAIN/NAME, of letters, digits, '-', '_' and '.'",
                                "not the key of a label");
                    }
                    if (!Names.isLabelValue(value)) {
                        map.error(key, "letters, digits, '-', '_' and '.', at most 63", "not the value of a label");
                    }
                    labels.put(key, value);
                })));
        return labels;
    }

    /** Labels that select workloads; Istio asks less of these. */
    static Map<String, String> selector(Fields owner, String name) {
        Map<String, String> labels = new LinkedHashMap<>();
        owner.object(name)
                .ifPresent(map -> map.names().forEach(key -> map.string(key).ifPresent(value -> {
                    if (key.isEmpty() || key.contains("*") || value.contains("*")) {
                        map.error(key, "a label and its value, without '*'", "this selects no label");
                    } else if (value.length() > 63) {
                        map.error(key, "at most 63 characters", "not the value of a label");
                    }
                    labels.put(key, value);
                })));
        return labels;
    }

    /** The name of a subset of a host's endpoints; what is wrong was reported. */
    static void checkSubset(Fields fields, String at, String name) {
        if (!name.isEmpty() && !Names.isLabel(name)) {
            fields.error(at, "letters, digits and inner '-', at most 63", "not a name for a subset");
        }
    }

    /** A regular expression that Istio takes and that can be matched in bounded time. */
    static Optional<String> regex(Fields fields, String name) {
        Optional<String> text = fields.string(name);
        return text.isPresent() && checkLength(fields, name, text.get()) && fields.isRegex(name, text.get())
                ? text
                : Optional.empty();
    }

    /** The same for one whose matches are replaced. */
    static Optional<String> replacingRegex(Fields fields, String name) {
        Optional<String> text = fields.string(name);
        return text.isPresent() && checkLength(fields, name, text.get())
                ? fields.replacingRegex(name)
                : Optional.empty();
    }

    private static boolean checkLength(Fields fields, String name, String regex) {
        if (regex.isEmpty()) {
            fields.error(name, "a regular expression in RE2 syntax", "empty");
            return false;
        }
        if (regex.getBytes(StandardCharsets.UTF_8).length > MAX_REGEX) {
            fields.error(name, "at most " + MAX_REGEX + " bytes", "this regular expression is too long");
            return false;
        }
        return true;
    }

    /**
     * A share of requests in parts per million.
     *
     * @param field {@code {value: PERCENT}}
     */
    static Optional<Integer> share(Fields owner, String field) {
        return share(owner, field, 0);
    }

    /** The same where a share that is not none must be one in a million at least. */
    static Optional<Integer> shareOfFaults(Fields owner) {
        return share(owner, "percentage", LEAST_SHARE);
    }

    private static Optional<Integer> share(Fields owner, String field, double least) {
        Optional<Fields> percentage = owner.object(field);
        if (percentage.isEmpty()) {
            return Optional.empty();
        }
        double value = percentage.get().number("value", 0, 100).orElse(0);
        if (value > 0 && value < least) {
            percentage.get().error("value", "0, or from 0.0001 to 100", "too small a share");
        }
        percentage.get().done();
        return Optional.of((int) Math.round(value * (PARTS / 100)));
    }

    /** A share in whole percent, as older versions of Istio have it. */
    static Optional<Integer> olderShare(Fields owner, String field) {
        OptionalInt percent = owner.integer(field, 0, 100);
        return percent.isPresent() ? Optional.of(percent.getAsInt() * (PARTS / 100)) : Optional.empty();
    }
}
