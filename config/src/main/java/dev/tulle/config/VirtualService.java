package dev.tulle.config;

import java.util.List;
import java.util.OptionalInt;

/**
 * Istio's VirtualService.
 *
 * @param gateways where its rules hold: {@link #MESH} or NAMESPACE/NAME of a gateway
 * @param hostPositions where each of {@code hosts} is written
 * @param hosts service names as written: short, full, {@code *} or {@code *.suffix}
 * @param http rules for requests, the first that matches wins
 * @param tls rules for connections of TLS that pass through, the first that has the name that is asked for wins
 * @param tcp rules for connections, the first that matches wins
 */
public record VirtualService(
        Manifest manifest,
        List<Position> hostPositions,
        List<String> hosts,
        List<String> gateways,
        List<HttpRule> http,
        List<TlsRule> tls,
        List<TcpRule> tcp)
        implements ConfigResource {
    /** Stands for the mesh's own traffic where gateways are named. */
    public static final String MESH = "mesh";

    public VirtualService {
        gateways = List.copyOf(gateways);
        hostPositions = List.copyOf(hostPositions);
        hosts = List.copyOf(hosts);
        http = List.copyOf(http);
        tls = List.copyOf(tls);
        tcp = List.copyOf(tcp);
    }

    /** True when its rules hold there, but for those that say otherwise themselves. */
    boolean isFor(String where) {
        return gateways.contains(where);
    }

    /**
     * One rule for connections.
     *
     * @param matches alternatives; empty means every connection
     */
    public record TcpRule(List<TcpMatch> matches, List<Destination> destinations) {
        public TcpRule {
            matches = List.copyOf(matches);
            destinations = List.copyOf(destinations);
        }

        /** True when it holds for a port, in the mesh or at a gateway. */
        boolean holdsFor(int port, String where) {
            return matches.isEmpty() || matches.stream().anyMatch(match -> match.holdsFor(port, where));
        }
    }

    /**
     * One alternative.
     *
     * @param port empty means every port
     * @param gateways empty means all of the virtual service's
     */
    public record TcpMatch(OptionalInt port, List<String> gateways) {
        public TcpMatch {
            gateways = List.copyOf(gateways);
        }

        private boolean holdsFor(int number, String where) {
            return (port.isEmpty() || port.getAsInt() == number) && (gateways.isEmpty() || gateways.contains(where));
        }
    }

    /** One rule for connections of TLS. */
    public record TlsRule(List<TlsMatch> matches, List<Destination> destinations) {
        public TlsRule {
            matches = List.copyOf(matches);
            destinations = List.copyOf(destinations);
        }
    }

    /**
     * One alternative.
     *
     * @param names that are asked for: host names, {@code *} or {@code *.suffix}, in lower case
     * @param port empty means every port
     * @param gateways empty means all of the virtual service's
     */
    public record TlsMatch(List<String> names, OptionalInt port, List<String> gateways) {
        public TlsMatch {
            names = List.copyOf(names);
            gateways = List.copyOf(gateways);
        }

        /** True when it holds for a port at a gateway. */
        boolean holdsFor(int number, String where) {
            return (port.isEmpty() || port.getAsInt() == number) && (gateways.isEmpty() || gateways.contains(where));
        }
    }
}
