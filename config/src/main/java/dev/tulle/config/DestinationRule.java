package dev.tulle.config;

import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.model.Http2Options;
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
     * @param policy parts that replace those of the rule's own policy
     */
    public record Subset(String name, Map<String, String> labels, TrafficPolicy policy, Position position) {
        public Subset {
            labels = Collections.unmodifiableMap(new TreeMap<>(labels));
        }
    }

    /**
     * How to reach and balance endpoints. An empty part is inherited, at last from the mesh's defaults; one that is there is
     * the whole of it: what it leaves open is not looked up elsewhere.
     *
     * @param tls how connections are encrypted, or that they are not
     * @param proxyProtocol how endpoints are told for whom a connection is made
     */
    public record TrafficPolicy(
            Optional<LoadBalancer> loadBalancer,
            Optional<ConnectionPool> connectionPool,
            Optional<ClientTls> tls,
            Optional<ProxyProtocol> proxyProtocol) {
        /** Says nothing. */
        public static final TrafficPolicy NONE =
                new TrafficPolicy(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());

        /** This policy, with the parts that it leaves out taken from {@code base}. */
        public TrafficPolicy over(TrafficPolicy base) {
            return new TrafficPolicy(
                    loadBalancer.or(base::loadBalancer),
                    connectionPool.or(base::connectionPool),
                    tls.or(base::tls),
                    proxyProtocol.or(base::proxyProtocol));
        }

        Optional<Balancing> balancing() {
            return loadBalancer.flatMap(LoadBalancer::balancing);
        }

        Optional<LocalityPreference> locality() {
            return loadBalancer.flatMap(LoadBalancer::locality);
        }

        /** True when connections to endpoints are encrypted. */
        boolean encrypts() {
            return tls.filter(ClientTls::encrypts).isPresent();
        }

        /** The bounds on connections; none where nothing is said. */
        ConnectionPool pool() {
            return connectionPool.orElse(ConnectionPool.NONE);
        }
    }

    /** How endpoints are chosen. */
    public record LoadBalancer(Optional<Balancing> balancing, Optional<LocalityPreference> locality) {}

    /**
     * Bounds on connections, and what is spoken on them.
     *
     * @param protocol in place of the port's, where the port's requests are read
     */
    public record ConnectionPool(
            Optional<Duration> connectTimeout,
            OptionalInt maxConnections,
            OptionalInt maxPendingRequests,
            OptionalInt maxRequestsPerConnection,
            Optional<Duration> idleTimeout,
            Optional<Cluster.Protocol> protocol,
            Http2Options http2) {
        static final ConnectionPool NONE = new ConnectionPool(
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                Optional.empty(),
                Optional.empty(),
                Http2Options.NONE);
    }
}
