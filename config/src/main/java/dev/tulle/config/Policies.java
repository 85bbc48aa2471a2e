package dev.tulle.config;

import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.EndpointChoice;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** Finds the DestinationRules of a host: the most specific host wins, rules of one host add up. */
final class Policies {
    private final Map<String, List<DestinationRule>> byHost = new HashMap<>();
    private final List<String> patterns = new ArrayList<>();

    /** @param known tells which host names are declared */
    Policies(Collection<DestinationRule> rules, Predicate<String> known) {
        for (DestinationRule rule : rules) {
            String host = Hosts.resolve(rule.host(), rule.namespace(), known);
            byHost.computeIfAbsent(host, _ -> new ArrayList<>()).add(rule);
        }
        byHost.keySet().stream().filter(Hosts::isPattern).sorted().forEach(patterns::add);
    }

    /** The rules of a host, the one whose own policy counts first. */
    List<DestinationRule> rulesOf(String hostname) {
        List<DestinationRule> exact = byHost.get(hostname);
        if (exact != null) {
            return exact;
        }
        return Hosts.mostSpecific(patterns, hostname)
                .flatMap(pattern -> Optional.ofNullable(byHost.get(pattern)))
                .orElse(List.of());
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
        Balancing balancing = policy.balancing().orElse(Balancing.RANDOM);
        if (balancing == Balancing.LEAST_REQUEST || balancing == Balancing.PASSTHROUGH) {
            return Optional.of("the balancing " + balancing);
        }
        if (policy.pool().maxConnections().orElse(0) > 0) {
            return Optional.of("a bound on connections");
        }
        return policy.pool().connectTimeout().map(_ -> "a connect timeout");
    }
}
