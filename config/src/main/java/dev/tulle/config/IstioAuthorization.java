package dev.tulle.config;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Scope;
import dev.tulle.model.Workload;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Istio's AuthorizationPolicy: what it says, and which workloads it is about.
 *
 * @param selector all of these labels must be on the workload; empty selects every one
 * @param policy what it says
 * @param trial whether it is only tried out: then nothing is refused because of it
 */
public record IstioAuthorization(
        Manifest manifest, Map<String, String> selector, AuthorizationPolicy policy, boolean trial)
        implements ConfigResource {
    /** The namespaces whose policies are about the whole mesh: Istio's name and ours. */
    public static final Set<String> ROOT_NAMESPACES = Set.of("istio-system", "tulle-system");

    public IstioAuthorization {
        selector = Collections.unmodifiableMap(new TreeMap<>(selector));
    }

    /** How widely a policy of this namespace and selector applies. */
    static Scope scope(String namespace, Map<String, String> selector) {
        if (!selector.isEmpty()) {
            return Scope.WORKLOAD_SELECTOR;
        }
        return ROOT_NAMESPACES.contains(namespace) ? Scope.GLOBAL : Scope.NAMESPACE;
    }

    /** True when the policy applies to the workload. */
    boolean appliesTo(Workload workload) {
        return !trial
                && (ROOT_NAMESPACES.contains(namespace()) || namespace().equals(workload.namespace()))
                && Backends.matches(selector, workload.labels());
    }
}
