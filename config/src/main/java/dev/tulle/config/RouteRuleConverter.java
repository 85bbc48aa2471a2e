package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import dev.tulle.config.RouteRule.Target;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Turns the RouteRules of 2018 into today's VirtualServices and DestinationRules. All rules of one destination become
 * one VirtualService, the highest precedence first; their labels become named subsets. A destination of which some rule
 * cannot be converted is left out whole, because a part of its rules would mean something else. Pure, any thread.
 */
public final class RouteRuleConverter {
    private static final String ISTIO = "networking.istio.io/v1";

    private final List<Problem> problems = new ArrayList<>();
    private final List<RouteRule> rules = new ArrayList<>();
    /** Destinations (namespace and host) that cannot be converted. */
    private final Set<String> refused = new HashSet<>();

    private RouteRuleConverter() {}

    /**
     * What became of the rules.
     *
     * @param documents DestinationRules and VirtualServices, by destination
     * @param problems what could not be converted, and what was left out
     */
    public record Conversion(List<Map<String, Object>> documents, List<Problem> problems) {
        public Conversion {
            documents = List.copyOf(documents);
            problems = List.copyOf(problems);
        }

        /** The documents as YAML. */
        public String yaml() {
            return YamlWriter.writeAll(documents);
        }

        /** True when everything was converted. */
        public boolean isClean() {
            return problems.stream().noneMatch(Problem::isError);
        }
    }

    /**
     * Converts the RouteRules of several files, which belong together.
     *
     * @param texts YAML or JSON by file name
     */
    public static Conversion convert(Map<String, String> texts) {
        RouteRuleConverter converter = new RouteRuleConverter();
        texts.forEach(converter::read);
        return converter.write();
    }

    private void read(String file, String text) {
        YamlReader.Result read = YamlReader.read(text, ManifestParser.Limits.DEFAULT);
        for (Tree document : read.documents()) {
            if (!(document instanceof Tree.Scalar scalar) || scalar.type() != Tree.ScalarType.NULL) {
                Findings findings = new Findings(file);
                read(document, findings);
                problems.addAll(findings.problems());
            }
        }
        read.trouble()
                .ifPresent(t -> problems.add(new Problem(
                        Severity.ERROR, file, t.line(), t.column(), "", "", t.value(), t.expected(), t.message())));
    }

    private void read(Tree document, Findings findings) {
        if (!(document instanceof Tree.Mapping mapping)) {
            findings.error(document, "", "a RouteRule", "this is not a resource");
            return;
        }
        Fields fields = new Fields(findings, mapping, "");
        String kind = fields.requiredString("kind");
        String apiVersion = fields.requiredString("apiVersion");
        if (!kind.equals("RouteRule")) {
            if (kind.equals("List")) {
                fields.error("kind", "RouteRule documents separated by ---", "a List is not converted");
            } else if (kind.equals("DestinationPolicy")) {
                fields.error("kind", "RouteRule", "this kind is not converted; write a DestinationRule by hand");
            } else if (!kind.isEmpty()) {
                fields.warning("kind", "RouteRule", "not a RouteRule, left out");
            }
            return;
        }
        findings.resource(kind);
        if (!apiVersion.equals(RouteRule.API_VERSION)) {
            fields.error("apiVersion", RouteRule.API_VERSION, "unknown apiVersion of the kind RouteRule");
        }
        fields.requiredObject("metadata").ifPresent(Metadata::decode);
        fields.tolerate("status");
        Optional<dev.tulle.model.ResourceRef> ref = Metadata.identity(fields, kind, mapping.line(), findings.file());
        ref.ifPresent(r -> findings.resource(ResourceKey.of(r).toString()));
        Optional<Fields> spec = fields.requiredObject("spec");
        fields.done();
        if (ref.isEmpty() || spec.isEmpty()) {
            return;
        }
        RouteRule rule = RouteRule.decode(ref.get().namespace(), ref.get().name(), spec.get());
        if (findings.hasErrors()) {
            refused.add(rule.namespace() + "/" + rule.host());
        }
        rules.add(rule);
    }

    private Conversion write() {
        TreeMap<String, List<RouteRule>> byDestination = new TreeMap<>();
        for (RouteRule rule : rules) {
            String key = rule.namespace() + "/" + rule.host();
            if (!refused.contains(key)) {
                byDestination.computeIfAbsent(key, _ -> new ArrayList<>()).add(rule);
            }
        }
        Subsets subsets = new Subsets();
        List<Map<String, Object>> services = new ArrayList<>();
        for (List<RouteRule> group : byDestination.values()) {
            // A stable sort: rules of one precedence stay in the order in which they were given.
            group.sort(Comparator.comparingInt(RouteRule::precedence).reversed());
            services.add(virtualService(group, subsets));
        }
        List<Map<String, Object>> documents = new ArrayList<>(subsets.destinationRules());
        documents.addAll(services);
        return new Conversion(documents, problems);
    }

    private static Map<String, Object> virtualService(List<RouteRule> group, Subsets subsets) {
        RouteRule first = group.getFirst();
        List<Map<String, Object>> http = new ArrayList<>();
        for (RouteRule rule : group) {
            Map<String, Object> entry = new LinkedHashMap<>(rule.rule());
            rule.mirror().ifPresent(mirror -> entry.put("mirror", subsets.destination(rule.namespace(), mirror)));
            if (!rule.destinations().isEmpty()) {
                List<Map<String, Object>> routes = new ArrayList<>();
                for (Target target : rule.destinations()) {
                    Map<String, Object> route = new LinkedHashMap<>();
                    route.put("destination", subsets.destination(rule.namespace(), target));
                    target.weight().ifPresent(weight -> route.put("weight", (long) weight));
                    routes.add(route);
                }
                entry.put("route", routes);
            }
            http.add(entry);
        }
        return document(
                "VirtualService", first.namespace(), first.host(), spec("hosts", List.of(first.host()), "http", http));
    }

    private static Map<String, Object> spec(String one, Object first, String two, Object second) {
        Map<String, Object> spec = new LinkedHashMap<>();
        spec.put(one, first);
        spec.put(two, second);
        return spec;
    }

    private static Map<String, Object> document(String kind, String namespace, String host, Map<String, Object> spec) {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("name", host);
        if (!namespace.equals(ManifestParser.DEFAULT_NAMESPACE)) {
            metadata.put("namespace", namespace);
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("apiVersion", ISTIO);
        document.put("kind", kind);
        document.put("metadata", metadata);
        document.put("spec", spec);
        return document;
    }

    /** Names for sets of labels, one namespace of names for each host. */
    private static final class Subsets {
        private final TreeMap<String, Named> byHost = new TreeMap<>();

        private record Named(
                String namespace,
                String host,
                TreeMap<String, Map<String, String>> labels,
                Map<Map<String, String>, String> names) {}

        Map<String, Object> destination(String namespace, Target target) {
            Map<String, Object> out = new LinkedHashMap<>();
            out.put("host", target.host());
            if (!target.labels().isEmpty()) {
                Named named = byHost.computeIfAbsent(
                        namespace + "/" + target.host(),
                        _ -> new Named(namespace, target.host(), new TreeMap<>(), new HashMap<>()));
                out.put("subset", named.names().computeIfAbsent(target.labels(), labels -> name(named, labels)));
            }
            return out;
        }

        /** The value where there is one label ({@code version: v1} gives {@code v1}), else names and values. */
        private static String name(Named named, Map<String, String> labels) {
            TreeMap<String, String> sorted = new TreeMap<>(labels);
            String name = clean(sorted.firstEntry().getValue());
            if (sorted.size() > 1 || name.isEmpty() || named.labels().containsKey(name)) {
                StringBuilder all = new StringBuilder();
                sorted.forEach((key, value) -> all.append(all.isEmpty() ? "" : "-")
                        .append(clean(key))
                        .append('-')
                        .append(clean(value)));
                name = trimmed(all.length() > 50 ? all.substring(0, 50) : all.toString());
            }
            String unique = name.isEmpty() ? "subset" : name;
            for (int i = 2; named.labels().containsKey(unique); i++) {
                unique = (name.isEmpty() ? "subset" : name) + "-" + i;
            }
            named.labels().put(unique, sorted);
            return unique;
        }

        /** What may stand in the name of a subset: letters, digits and inner hyphens. */
        private static String clean(String text) {
            StringBuilder out = new StringBuilder();
            text.codePoints()
                    .map(c -> c < 128 && Character.isLetterOrDigit(c) ? c : '-')
                    .limit(50)
                    .forEach(out::appendCodePoint);
            return trimmed(out.toString());
        }

        private static String trimmed(String name) {
            int from = 0;
            int to = name.length();
            while (from < to && name.charAt(from) == '-') {
                from++;
            }
            while (to > from && name.charAt(to - 1) == '-') {
                to--;
            }
            return name.substring(from, to);
        }

        List<Map<String, Object>> destinationRules() {
            List<Map<String, Object>> out = new ArrayList<>();
            for (Named named : byHost.values()) {
                List<Map<String, Object>> subsets = new ArrayList<>();
                named.labels().forEach((name, labels) -> subsets.add(spec("name", name, "labels", labels)));
                out.add(document(
                        "DestinationRule",
                        named.namespace(),
                        named.host(),
                        spec("host", named.host(), "subsets", subsets)));
            }
            return out;
        }
    }
}
