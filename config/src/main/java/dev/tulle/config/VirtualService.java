package dev.tulle.config;

import java.util.List;

/**
 * Istio's VirtualService, as far as the mesh's own traffic is concerned.
 *
 * @param hostPositions where each of {@code hosts} is written
 * @param hosts service names as written: short, full, {@code *} or {@code *.suffix}
 * @param http rules for requests, the first that matches wins
 * @param tcp rules for connections, the first that matches wins
 */
public record VirtualService(
        Manifest manifest, List<Position> hostPositions, List<String> hosts, List<HttpRule> http, List<TcpRule> tcp)
        implements ConfigResource {
    public VirtualService {
        hostPositions = List.copyOf(hostPositions);
        hosts = List.copyOf(hosts);
        http = List.copyOf(http);
        tcp = List.copyOf(tcp);
    }

    /**
     * One rule for connections.
     *
     * @param ports the service ports it holds for; empty means every port
     */
    public record TcpRule(List<Integer> ports, List<Destination> destinations) {
        public TcpRule {
            ports = List.copyOf(ports);
            destinations = List.copyOf(destinations);
        }
    }
}
