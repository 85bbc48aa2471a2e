package dev.tulle.model;

import java.util.List;

/**
 * Ordered routes for some authorities.
 *
 * @param name unique in its route configuration
 * @param domains authorities, lower case, with or without port: exact, {@code *.suffix}, or {@code *}
 */
public record VirtualHost(String name, List<String> domains, List<Route> routes) {
    public VirtualHost {
        domains = List.copyOf(domains);
        routes = List.copyOf(routes);
    }
}
