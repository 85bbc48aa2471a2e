package dev.tulle.config;

import dev.tulle.model.HeaderMutation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Decodes Gateway API's TCPRoute. */
final class TcpRouteDecoder {
    private TcpRouteDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        Optional<Fields> found = document.requiredObject("spec");
        if (found.isEmpty()) {
            return new TcpRoute(manifest, List.of(), List.of(), List.of());
        }
        Fields spec = found.get();
        String namespace = manifest.ref().namespace();
        ParentRefs parents = ParentRefs.decode(spec, namespace);
        spec.unsupported("useDefaultGateways");
        List<Destination> destinations = new ArrayList<>();
        for (Fields rule : spec.objects("rules")) {
            if (rule.has("name") && !Words.isDnsDomain(rule.string("name").orElse(""))) {
                rule.error("name", "lower-case letters, digits, '-' and '.', at most 253", "not a name");
            }
            rule.atMost("backendRefs", ParentRefs.MOST);
            for (Fields backend : rule.objects("backendRefs")) {
                OptionalInt weight = backend.integer("weight", 0, 1_000_000);
                ParentRefs.backend(backend, namespace, weight.orElse(1), HeaderMutation.NONE)
                        .ifPresent(destinations::add);
            }
            if (rule.count("backendRefs") == 0) {
                rule.error("backendRefs", "at least one backend", "a rule without backends");
            }
            rule.done();
        }
        if (spec.count("rules") != 1) {
            spec.error("rules", "exactly one rule", spec.count("rules") + " rules");
        }
        spec.done();
        return new TcpRoute(manifest, parents.services(), parents.gateways(), destinations);
    }
}
