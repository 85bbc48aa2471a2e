package dev.tulle.config;

import dev.tulle.config.HttpRoute.Parent;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Decodes what a route of Gateway API wants to be attached to.
 *
 * @param services for requests inside the mesh
 * @param gateways for requests at the edge
 */
record ParentRefs(List<Parent> services, List<ApiParent> gateways) {
    /** The most entries that most lists of Gateway API may have. */
    static final int MOST = 16;

    private static final int MOST_PARENTS = 32;

    private static final Map<String, String> GATEWAYS =
            Map.of("Gateway", Kinds.API_GATEWAY, "ListenerSet", "ListenerSet");

    ParentRefs {
        services = List.copyOf(services);
        gateways = List.copyOf(gateways);
    }

    /** Decodes {@code parentRefs}. */
    static ParentRefs decode(Fields spec, String namespace) {
        Reading reading = new Reading(namespace);
        spec.atMost("parentRefs", MOST_PARENTS);
        List<Fields> all = spec.objects("parentRefs");
        all.forEach(reading::parent);
        reading.checkSections();
        if (all.isEmpty()) {
            spec.warning("parentRefs", "at least one parent", "a route without parents routes nothing");
        }
        return new ParentRefs(reading.services, reading.gateways);
    }

    private static final class Reading {
        private final String namespace;
        private final List<Parent> services = new ArrayList<>();
        private final List<ApiParent> gateways = new ArrayList<>();
        private final Map<ResourceKey, List<Fields>> byParent = new HashMap<>();
        private final Set<Object> seen = new HashSet<>();

        Reading(String namespace) {
            this.namespace = namespace;
        }

        void parent(Fields parent) {
            String group = parent.string("group").orElse(Kinds.GATEWAY_API);
            String kind = parent.string("kind").orElse("Gateway");
            String name = parent.requiredString("name");
            checkReference(parent);
            String own = parent.string("namespace").orElse(namespace);
            OptionalInt port = parent.port("port");
            Position position = parent.position("name");
            boolean service = (group.isEmpty() || group.equals("core")) && kind.equals("Service");
            if (group.equals(Kinds.GATEWAY_API) && GATEWAYS.containsKey(kind)) {
                String section = parent.string("sectionName").orElse("");
                if (parent.has("sectionName") && !Words.isDnsDomain(section)) {
                    parent.error("sectionName", "lower-case letters, digits, '-' and '.', at most 253", "not a name");
                }
                ResourceKey key = new ResourceKey(GATEWAYS.get(kind), own, name);
                gateways.add(new ApiParent(key, section, port, position));
                byParent.computeIfAbsent(key, _ -> new ArrayList<>()).add(parent);
                once(parent, List.of(key, section, port));
            } else if (!service) {
                parent.tolerate("sectionName");
                parent.unsupportedValue(
                        "kind",
                        "a parent of kind " + shorten(kind),
                        "group \"\" and kind Service, or group " + Kinds.GATEWAY_API
                                + " and kind Gateway or ListenerSet");
            } else if (!own.equals(namespace)) {
                parent.tolerate("sectionName");
                parent.unsupportedValue(
                        "namespace",
                        "a route for clients of its own namespace only",
                        "the route in the Service's namespace");
            } else {
                parent.unsupported("sectionName");
                services.add(new Parent(own, name, port, position));
                once(parent, List.of(own, name, port));
            }
            parent.done();
        }

        private void once(Fields parent, Object what) {
            if (!seen.add(what)) {
                parent.error("name", "each parent once", "this parent is here twice");
            }
        }

        /** Gateway API: who names one parent several times names a section each time. */
        void checkSections() {
            for (List<Fields> same : byParent.values()) {
                for (Fields parent : same) {
                    if (same.size() > 1 && !parent.has("sectionName") && !parent.has("port")) {
                        parent.error(
                                "sectionName",
                                "a sectionName or port where one parent is named several times",
                                "this entry means the whole parent");
                    }
                }
            }
        }
    }

    /** Group, kind and names of a reference, as far as their form goes. */
    static void checkReference(Fields ref) {
        ref.string("group")
                .filter(group -> !group.isEmpty() && !Words.isDnsDomain(group))
                .ifPresent(_ -> {
                    ref.error("group", "an API group, \"\" for the core one", "not a group");
                });
        ref.string("kind")
                .filter(kind -> kind.isEmpty()
                        || kind.length() > 63
                        || !kind.chars().allMatch(c -> c == '-' || Character.isLetterOrDigit(c)))
                .ifPresent(_ -> ref.error("kind", "a kind such as Service", "not a kind"));
        ref.string("namespace").filter(text -> !Words.isDnsLabel(text)).ifPresent(_ -> {
            ref.error("namespace", "lower-case letters, digits and '-', at most 63", "not a namespace");
        });
        ref.string("name").filter(name -> name.length() > 253).ifPresent(_ -> {
            ref.error("name", "at most 253 characters", "too long");
        });
    }

    /** A word of the author's for a message. */
    static String shorten(String word) {
        return word.length() > 40 ? word.substring(0, 40) : word;
    }

    /** Host names of Gateway API: exact ones and {@code *.suffix}. */
    static List<String> hostnames(Fields spec) {
        spec.atMost("hostnames", MOST);
        List<String> out = new ArrayList<>();
        for (Item host : spec.texts("hostnames")) {
            if (!isHostname(host.text())) {
                host.error("host names or '*.suffix', in lower case", "not a host name");
            }
            out.add(host.text());
        }
        return out;
    }

    static boolean isHostname(String name) {
        return Words.isDnsDomain(name.startsWith("*.") ? name.substring(2) : name);
    }

    /** A backend of any kind of route, as a destination. The rest of the mapping must have been read. */
    static Optional<Destination> backend(
            Fields ref, String namespace, int weight, dev.tulle.model.HeaderMutation headers) {
        String group = ref.string("group").orElse("");
        String kind = ref.string("kind").orElse("Service");
        String name = ref.requiredString("name");
        checkReference(ref);
        String own = ref.string("namespace").orElse(namespace);
        OptionalInt port = ref.port("port");
        if (!ref.has("port") && group.isEmpty() && kind.equals("Service")) {
            ref.requiredPort("port");
        }
        Position position = ref.position("name");
        ref.done();
        if (!(group.isEmpty() || group.equals("core")) || !kind.equals("Service")) {
            ref.unsupportedValue("kind", "a backend of kind " + shorten(kind), "group \"\" and kind Service");
            return Optional.empty();
        }
        if (!ref.has("port") && !group.isEmpty()) {
            ref.unsupportedValue("port", "a backend without a port", "an integer from 1 to 65535");
        }
        return name.isEmpty() || port.isEmpty()
                ? Optional.empty()
                : Optional.of(new Destination(Hosts.serviceHostname(name, own), "", port, weight, headers, position));
    }
}
