package dev.tulle.xds;

import com.google.protobuf.UInt32Value;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Locality;
import dev.tulle.model.NodePlace;
import dev.tulle.xds.proto.envoy.config.core.v3.Address;
import dev.tulle.xds.proto.envoy.config.core.v3.HealthStatus;
import dev.tulle.xds.proto.envoy.config.core.v3.SocketAddress;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.ClusterLoadAssignment;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.Endpoint;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.LbEndpoint;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.LocalityLbEndpoints;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@link EndpointSet} as Envoy's ClusterLoadAssignment: endpoints by priority and locality, their weights final. A
 * locality's weight is the sum of theirs, so that clients that look at it come to the same shares.
 */
final class EndpointsCodec {
    /** Envoy's bound. */
    private static final int PRIORITY_MAX = 128;

    private EndpointsCodec() {}

    /** Endpoints that travel together. */
    private record Group(int priority, Locality locality) {}

    static ClusterLoadAssignment encode(EndpointSet set) {
        ClusterLoadAssignment.Builder out = ClusterLoadAssignment.newBuilder().setClusterName(set.cluster());
        Map<Group, LocalityLbEndpoints.Builder> groups = new LinkedHashMap<>();
        for (dev.tulle.model.Endpoint endpoint : set.endpoints()) {
            LocalityLbEndpoints.Builder group =
                    groups.computeIfAbsent(new Group(endpoint.priority(), endpoint.locality()), EndpointsCodec::encode);
            int weight = group.getLoadBalancingWeight().getValue() + endpoint.weight();
            group.addLbEndpoints(encode(endpoint)).setLoadBalancingWeight(UInt32Value.of(weight));
        }
        groups.values().forEach(out::addEndpoints);
        if (set.endpoints().stream().anyMatch(endpoint -> endpoint.priority() > 0)) {
            // One healthy endpoint is enough for a priority to keep all of the load, as our own clients see it.
            out.setPolicy(ClusterLoadAssignment.Policy.newBuilder()
                    .setOverprovisioningFactor(
                            UInt32Value.of(100 * set.endpoints().size())));
        }
        return out.build();
    }

    private static LocalityLbEndpoints.Builder encode(Group group) {
        LocalityLbEndpoints.Builder out = LocalityLbEndpoints.newBuilder().setPriority(group.priority());
        if (group.locality().isKnown()) {
            out.setLocality(dev.tulle.xds.proto.envoy.config.core.v3.Locality.newBuilder()
                    .setRegion(group.locality().region())
                    .setZone(group.locality().zone())
                    .setSubZone(group.locality().subzone()));
        }
        return out;
    }

    private static LbEndpoint encode(dev.tulle.model.Endpoint endpoint) {
        LbEndpoint.Builder out = LbEndpoint.newBuilder()
                .setEndpoint(Endpoint.newBuilder().setAddress(socket(endpoint.address(), endpoint.port())))
                .setHealthStatus(endpoint.healthy() ? HealthStatus.HEALTHY : HealthStatus.UNHEALTHY)
                .setLoadBalancingWeight(UInt32Value.of(endpoint.weight()));
        if (!endpoint.workload().isEmpty() || !endpoint.namespace().isEmpty()) {
            Map<String, String> facts = new LinkedHashMap<>();
            facts.put("workload", endpoint.workload());
            facts.put("namespace", endpoint.namespace());
            if (!endpoint.node().equals(NodePlace.NONE)) {
                facts.put("node", endpoint.node().name());
                facts.put("nodeAddress", endpoint.node().address());
            }
            out.setMetadata(MetadataCodec.encode(facts));
        }
        return out.build();
    }

    static EndpointSet decode(ClusterLoadAssignment assignment) {
        List<dev.tulle.model.Endpoint> endpoints = new ArrayList<>();
        for (LocalityLbEndpoints group : assignment.getEndpointsList()) {
            if (group.getPriority() < 0 || group.getPriority() > PRIORITY_MAX) {
                throw new IllegalArgumentException("priority " + Integer.toUnsignedString(group.getPriority()) + " of "
                        + assignment.getClusterName() + ": expected 0 to " + PRIORITY_MAX);
            }
            Locality locality = new Locality(
                    group.getLocality().getRegion(),
                    group.getLocality().getZone(),
                    group.getLocality().getSubZone());
            for (LbEndpoint endpoint : group.getLbEndpointsList()) {
                SocketAddress address = endpoint.getEndpoint().getAddress().getSocketAddress();
                Map<String, String> facts = MetadataCodec.decode(endpoint.getMetadata());
                if (address.getAddress().isEmpty()) {
                    throw new IllegalArgumentException("an endpoint of " + assignment.getClusterName()
                            + " has no socket address; only those can be used");
                }
                endpoints.add(new dev.tulle.model.Endpoint(
                        address.getAddress(),
                        port(address),
                        endpoint.hasLoadBalancingWeight()
                                ? endpoint.getLoadBalancingWeight().getValue()
                                : 1,
                        endpoint.getHealthStatus() == HealthStatus.HEALTHY
                                || endpoint.getHealthStatus() == HealthStatus.UNKNOWN,
                        facts.getOrDefault("workload", ""),
                        facts.getOrDefault("namespace", ""),
                        locality,
                        group.getPriority(),
                        new NodePlace(facts.getOrDefault("node", ""), facts.getOrDefault("nodeAddress", ""))));
            }
        }
        return new EndpointSet(assignment.getClusterName(), endpoints);
    }

    static Address socket(String address, int port) {
        return Address.newBuilder()
                .setSocketAddress(SocketAddress.newBuilder().setAddress(address).setPortValue(port))
                .build();
    }

    static int port(SocketAddress address) {
        int port = address.getPortValue();
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException(
                    "port " + port + " of address " + address.getAddress() + ": expected 1 to 65535");
        }
        return port;
    }
}
