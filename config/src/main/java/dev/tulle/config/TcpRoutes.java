package dev.tulle.config;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Which of Gateway API's TCPRoutes has the connections to a Service inside the mesh. Pure. */
final class TcpRoutes {
    private final Map<String, List<TcpRoute>> byHost = new HashMap<>();

    TcpRoutes(List<TcpRoute> routes) {
        for (TcpRoute route : RouteTables.oldestFirst(routes)) {
            Set<String> hosts = new LinkedHashSet<>();
            route.parents().forEach(parent -> hosts.add(parent.hostname()));
            hosts.forEach(
                    host -> byHost.computeIfAbsent(host, _ -> new ArrayList<>()).add(route));
        }
    }

    /** The oldest one of a port. */
    Optional<TcpRoute> of(String hostname, int port) {
        return byHost.getOrDefault(hostname, List.of()).stream()
                .filter(route -> route.parents().stream().anyMatch(parent -> parent.means(hostname, port)))
                .findFirst();
    }
}
