package dev.tulle.config;

import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.EndpointChoice;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Finds the DestinationRules of a service as Istio does for callers of its namespace: those of the service's namespace, else
 * those of the root namespace; in each the most specific host wins.
 */
final class Policies {
    private final Map<String, Namespace> namespaces = new HashMap<>();
    private final Namespace root = new Namespace();

    /** The rules of one namespace by host. */
    private static final class Namespace {
        private final Map<String, List<DestinationRule>> byHost = new HashMap<>();
        private final Set<String> patterns = new LinkedHashSet<>();

        void add(String host, DestinationRule rule) {
            byHost.computeIfAbsent(host, _ -> new ArrayList<>()).add(rule);
            if (Hosts.isPattern(host)) {
                patterns.add(host);
            }
        }

        List<DestinationRule> rulesOf(String hostname) {
            List<DestinationRule> exact = byHost.get(hostname);
            if (exact != null) {
                return exact;
            }
            return Hosts.mostSpecific(patterns, hostname)
                    .flatMap(pattern -> Optional.ofNullable(byHost.get(pattern)))
                    .orElse(List.of());
        }
    }

    /** @param known tells which host names are declared */
    Policies(Collection<DestinationRule> rules, Predicate<String> known) {
        rules.stream().sorted(ConfigResource.OLDEST_FIRST).forEach(rule -> {
            String host = Hosts.resolve(rule.host(), rule.namespace(), known);
            namespaces.computeIfAbsent(rule.namespace(), _ -> new Namespace()).add(host, rule);
            if (IstioAuthorization.ROOT_NAMESPACES.contains(rule.namespace())) {
                root.add(host, rule);
            }
        });
    }

    /** The rules in force for a service. */
    HostRules rulesOf(String namespace, String hostname) {
        HostRules own = rulesIn(namespace, hostname);
        return own.rules().isEmpty() ? new HostRules(root.rulesOf(hostname)) : own;
    }

    /** The rules that one namespace has for a host name, which are those of its callers in Istio. */
    HostRules rulesIn(String namespace, String hostname) {
        Namespace rules = namespaces.get(namespace);
        return new HostRules(rules == null ? List.of() : rules.rulesOf(hostname));
    }

    /** The rules that any namespace has for a host name. */
    List<DestinationRule> rulesAnywhere(String hostname) {
        return namespaces.values().stream()
                .flatMap(namespace -> namespace.rulesOf(hostname).stream())
                .sorted(ConfigResource.OLDEST_FIRST)
                .toList();
    }

    /** How the kernel chooses, where {@link #needsProxy} finds nothing against it. */
    static EndpointChoice choice(TrafficPolicy policy, int stickySeconds) {
        return switch (policy.balancing().orElse(Balancing.LEAST_REQUEST)) {
            case ROUND_ROBIN -> EndpointChoice.of(EndpointChoice.Kind.ROUND_ROBIN);
            case SOURCE_HASH -> EndpointChoice.of(EndpointChoice.Kind.SOURCE_HASH);
            case RANDOM -> EndpointChoice.RANDOM;
            case LEAST_REQUEST, PASSTHROUGH ->
                stickySeconds > 0 && policy.balancing().isEmpty()
                        ? EndpointChoice.sticky(stickySeconds)
                        : EndpointChoice.RANDOM;
        };
    }

    /** What in a policy the kernel cannot do when it chooses endpoints, in words. */
    static Optional<String> needsProxy(TrafficPolicy policy) {
        if (policy.encrypts()) {
            return Optional.of("TLS to endpoints");
        }
        if (policy.proxyProtocol().isPresent()) {
            return Optional.of("the PROXY protocol to endpoints");
        }
        Balancing balancing = policy.balancing().orElse(Balancing.RANDOM);
        if (balancing == Balancing.LEAST_REQUEST || balancing == Balancing.PASSTHROUGH) {
            return Optional.of("the balancing " + balancing);
        }
        if (policy.pool().maxConnections().orElse(0) > 0) {
            return Optional.of("a bound on connections");
        }
        return policy.pool().connectTimeout().map(_ -> "a connect timeout");
    }

    /** The same of what it says for connections of HTTP/2, which clients would make by themselves. */
    static Optional<String> needsHttp2(DestinationRule.ConnectionPool pool) {
        if (pool.protocol().isPresent()) {
            return Optional.of("the protocol of endpoints");
        }
        if (pool.http2().maxStreams() > 0) {
            return Optional.of("a bound on streams");
        }
        return pool.http2().pingInterval().isZero() ? Optional.empty() : Optional.of("a keep-alive of HTTP/2");
    }
}
