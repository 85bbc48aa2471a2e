package dev.tulle.model;

import java.util.List;

/** A route table (RDS resource); named {@code hostname:port} for a service port. */
public record RouteConfiguration(String name, List<VirtualHost> virtualHosts) {
    public RouteConfiguration {
        virtualHosts = List.copyOf(virtualHosts);
    }
}
