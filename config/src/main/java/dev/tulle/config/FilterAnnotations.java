package dev.tulle.config;

import dev.tulle.model.RouteFilter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Tulle's own annotations: filters for which neither Istio nor Gateway API has a field. They hold for all requests of their
 * object: the rules of a route, what a gateway serves.
 */
final class FilterAnnotations {
    private static final String PREFIX = "tulle.dev/";

    /** Objects that are about requests. */
    private static final Set<String> KINDS =
            Set.of("Gateway", Kinds.API_GATEWAY, "ListenerSet", "VirtualService", "HTTPRoute");

    private static final Map<String, Function<Fields, RouteFilter>> KNOWN =
            new TreeMap<>(Map.of("tulle.dev/compression", CompressionDecoder::decode));

    private FilterAnnotations() {}

    /** Those of a document. */
    static List<RouteFilter> of(Fields document, String kind) {
        List<RouteFilter> out = new ArrayList<>();
        AnnotationText.of(document).ifPresent(annotations -> {
            for (String name : annotations.names()) {
                if (name.startsWith(PREFIX)) {
                    read(annotations, name, kind, out);
                }
            }
        });
        return out;
    }

    private static void read(Fields annotations, String name, String kind, List<RouteFilter> out) {
        Function<Fields, RouteFilter> decoder = KNOWN.get(name);
        if (decoder == null) {
            String guess = Words.nearest(name, KNOWN.keySet())
                    .map(near -> ", did you mean '" + near + "'?")
                    .orElse("");
            annotations.error(name, "one of " + String.join(", ", KNOWN.keySet()), "unknown annotation" + guess);
        } else if (!KINDS.contains(kind)) {
            annotations.unsupportedValue(
                    name, "this annotation at a " + kind, "it at a Gateway, ListenerSet, VirtualService or HTTPRoute");
        } else {
            AnnotationText.mapping(annotations, name, "a mapping, which may be empty: '{}'")
                    .map(decoder)
                    .ifPresent(out::add);
        }
    }

    /** Filters of a rule, and those of what it belongs to of whose kind it has none itself. */
    static List<RouteFilter> with(List<RouteFilter> own, List<RouteFilter> others) {
        if (others.isEmpty()) {
            return own;
        }
        List<RouteFilter> all = new ArrayList<>(own);
        for (RouteFilter other : others) {
            if (own.stream().noneMatch(filter -> filter.getClass() == other.getClass())) {
                all.add(other);
            }
        }
        return all;
    }
}
