package dev.tulle.config;

import java.util.List;
import java.util.OptionalInt;

/**
 * Gateway API's HTTPRoute with Services as parents (routes inside the mesh). Its host names are checked and not kept: with
 * such parents they say nothing.
 */
public record HttpRoute(Manifest manifest, List<Parent> parents, List<HttpRule> rules) implements ConfigResource {
    public HttpRoute {
        parents = List.copyOf(parents);
        rules = List.copyOf(rules);
    }

    /**
     * The Service that it is attached to.
     *
     * @param port only this service port; empty means all
     */
    public record Parent(String namespace, String service, OptionalInt port, Position position) {
        /** The Service's full host name. */
        public String hostname() {
            return Hosts.serviceHostname(service, namespace);
        }
    }
}
