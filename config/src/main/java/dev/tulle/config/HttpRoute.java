package dev.tulle.config;

import java.util.List;
import java.util.OptionalInt;

/**
 * Gateway API's HTTPRoute or GRPCRoute: for requests inside the mesh (Services as parents) and at its edge (Gateways and
 * ListenerSets).
 *
 * @param hostnames which hosts it is about at the edge, all where it names none; inside the mesh they say nothing
 */
public record HttpRoute(
        Manifest manifest, List<Parent> parents, List<ApiParent> gateways, List<String> hostnames, List<HttpRule> rules)
        implements ConfigResource {
    /** The kind whose routes are about calls of gRPC. */
    static final String GRPC = "GRPCRoute";

    public HttpRoute {
        parents = List.copyOf(parents);
        gateways = List.copyOf(gateways);
        hostnames = List.copyOf(hostnames);
        rules = List.copyOf(rules);
    }

    /** True for a GRPCRoute. */
    boolean isGrpc() {
        return ref().kind().equals(GRPC);
    }

    /** The status for a share that goes nowhere: Gateway API has 500, and for gRPC what its clients read as unavailable. */
    int nowhere() {
        return isGrpc() ? 503 : 500;
    }

    /**
     * The Service that it is attached to.
     *
     * @param port only this service port; empty means all
     */
    public record Parent(String namespace, String service, OptionalInt port, Position position) {
        /** True when a port of a service is meant. */
        boolean means(String hostname, int number) {
            return hostname().equals(hostname) && (port.isEmpty() || port.getAsInt() == number);
        }

        /** The Service's full host name. */
        public String hostname() {
            return Hosts.serviceHostname(service, namespace);
        }
    }
}
