package dev.tulle.config;

import java.util.List;

/** Gateway API's TCPRoute: where the connections to a listener go. */
public record TcpRoute(Manifest manifest, List<ApiParent> gateways, List<Destination> destinations)
        implements ConfigResource {
    public TcpRoute {
        gateways = List.copyOf(gateways);
        destinations = List.copyOf(destinations);
    }
}
