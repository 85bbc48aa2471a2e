package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.util.List;
import java.util.Optional;

/** Gateway API's ReferenceGrant: which objects of other namespaces may name objects of its own. */
public record ReferenceGrant(Manifest manifest, List<From> from, List<To> to) implements ConfigResource {
    public ReferenceGrant {
        from = List.copyOf(from);
        to = List.copyOf(to);
    }

    /** Objects that may name others. */
    record From(String group, String kind, String namespace) {}

    /**
     * Objects that may be named.
     *
     * @param name only this one; empty for all of the kind
     */
    record To(String group, String kind, String name) {}

    /** True when it lets an object of another namespace name one of its own. */
    boolean permits(From asking, String group, String kind, String name) {
        return from.contains(asking)
                && to.stream()
                        .anyMatch(target -> target.group().equals(group)
                                && target.kind().equals(kind)
                                && (target.name().isEmpty() || target.name().equals(name)));
    }

    /** True unless an object of Gateway API names a Service of another namespace, which has no grant for it. */
    static boolean permitted(List<ReferenceGrant> grants, ResourceRef asking, String hostname) {
        Optional<String> to = Hosts.namespaceOf(hostname);
        return to.isEmpty()
                || !Kinds.isOfGatewayApi(asking.kind())
                || permitted(grants, asking, to.get(), "Service", hostname.substring(0, hostname.indexOf('.')));
    }

    /** True when an object of Gateway API may name one of the core group: in its own namespace, or by a grant of the other. */
    static boolean permitted(
            List<ReferenceGrant> grants, ResourceRef asking, String namespace, String kind, String name) {
        if (namespace.equals(asking.namespace())) {
            return true;
        }
        From from = new From(Kinds.GATEWAY_API, Kinds.written(asking.kind()), asking.namespace());
        return grants.stream()
                .anyMatch(grant -> grant.namespace().equals(namespace) && grant.permits(from, "", kind, name));
    }

    static ConfigResource decode(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new ReferenceGrant(manifest, List.of(), List.of()));
    }

    private static ReferenceGrant decodeSpec(Manifest manifest, Fields spec) {
        spec.atMost("from", ParentRefs.MOST);
        spec.atMost("to", ParentRefs.MOST);
        List<From> from = spec.objects("from").stream()
                .map(entry -> {
                    String group = core(entry.presentString("group"));
                    String kind = entry.requiredString("kind");
                    String namespace = entry.requiredString("namespace");
                    ParentRefs.checkReference(entry);
                    entry.done();
                    return new From(group, kind, namespace);
                })
                .toList();
        List<To> to = spec.objects("to").stream()
                .map(entry -> {
                    String group = core(entry.presentString("group"));
                    String kind = entry.requiredString("kind");
                    String name = entry.string("name").orElse("");
                    ParentRefs.checkReference(entry);
                    entry.done();
                    return new To(group, kind, name);
                })
                .toList();
        if (spec.count("from") == 0) {
            spec.error("from", "at least one entry", "a grant for nobody");
        }
        if (spec.count("to") == 0) {
            spec.error("to", "at least one entry", "a grant of nothing");
        }
        spec.done();
        return new ReferenceGrant(manifest, from, to);
    }

    /** The core group, which has no name, is sometimes called so. */
    private static String core(String group) {
        return group.equals("core") ? "" : group;
    }
}
