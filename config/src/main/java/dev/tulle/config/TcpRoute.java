package dev.tulle.config;

import java.util.List;

/** Gateway API's TCPRoute: where the connections to a Service or a listener go. */
public record TcpRoute(
        Manifest manifest, List<HttpRoute.Parent> parents, List<ApiParent> gateways, List<Destination> destinations)
        implements ConfigResource {
    public TcpRoute {
        parents = List.copyOf(parents);
        gateways = List.copyOf(gateways);
        destinations = List.copyOf(destinations);
    }
}
