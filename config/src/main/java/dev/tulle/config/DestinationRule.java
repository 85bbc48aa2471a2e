package dev.tulle.config;

import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.LocalityPreference;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * Istio's DestinationRule: the named subsets of a service's endpoints, and how to reach and balance them.
 *
 * @param host the service's name as written: short, full, {@code *} or {@code *.suffix}
 * @param policy for all endpoints
 */
public record DestinationRule(
        Manifest manifest, String host, Position hostPosition, TrafficPolicy policy, List<Subset> subsets)
        implements ConfigResource {
    public DestinationRule {
        subsets = List.copyOf(subsets);
    }

    /**
     * A named part of the endpoints.
     *
     * @param labels all must be on the workload; empty selects every endpoint
     * @param policy what differs from the rule's own policy
     */
    public record Subset(String name, Map<String, String> labels, TrafficPolicy policy, Position position) {
        public Subset {
            labels = Collections.unmodifiableMap(new TreeMap<>(labels));
        }
    }

    /** How to reach and balance endpoints; an empty part is inherited, at last from the mesh's defaults. */
    public record TrafficPolicy(
            Optional<Balancing> balancing,
            Optional<LocalityPreference> locality,
            Optional<Duration> connectTimeout,
            OptionalInt maxConnections,
            OptionalInt maxPendingRequests,
            OptionalInt maxRequestsPerConnection,
            Optional<Duration> idleTimeout) {
        /** Says nothing. */
        public static final TrafficPolicy NONE = new TrafficPolicy(
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                Optional.empty());

        /** This policy, with what it leaves open taken from {@code base}. */
        public TrafficPolicy over(TrafficPolicy base) {
            return new TrafficPolicy(
                    balancing.or(base::balancing),
                    locality.or(base::locality),
                    connectTimeout.or(base::connectTimeout),
                    first(maxConnections, base.maxConnections),
                    first(maxPendingRequests, base.maxPendingRequests),
                    first(maxRequestsPerConnection, base.maxRequestsPerConnection),
                    idleTimeout.or(base::idleTimeout));
        }

        private static OptionalInt first(OptionalInt own, OptionalInt base) {
            return own.isPresent() ? own : base;
        }
    }
}
