package dev.tulle.xds;

import com.google.protobuf.UInt32Value;
import dev.tulle.model.EndpointSet;
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

/** {@link EndpointSet} as Envoy's ClusterLoadAssignment with one locality. */
final class EndpointsCodec {
    private EndpointsCodec() {}

    static ClusterLoadAssignment encode(EndpointSet set) {
        LocalityLbEndpoints.Builder locality = LocalityLbEndpoints.newBuilder();
        for (dev.tulle.model.Endpoint endpoint : set.endpoints()) {
            LbEndpoint.Builder out = LbEndpoint.newBuilder()
                    .setEndpoint(Endpoint.newBuilder().setAddress(socket(endpoint.address(), endpoint.port())))
                    .setHealthStatus(endpoint.healthy() ? HealthStatus.HEALTHY : HealthStatus.UNHEALTHY)
                    .setLoadBalancingWeight(UInt32Value.of(endpoint.weight()));
            if (!endpoint.workload().isEmpty() || !endpoint.namespace().isEmpty()) {
                Map<String, String> facts = new LinkedHashMap<>();
                facts.put("workload", endpoint.workload());
                facts.put("namespace", endpoint.namespace());
                out.setMetadata(MetadataCodec.encode(facts));
            }
            locality.addLbEndpoints(out);
        }
        ClusterLoadAssignment.Builder out = ClusterLoadAssignment.newBuilder().setClusterName(set.cluster());
        if (!set.endpoints().isEmpty()) {
            out.addEndpoints(locality);
        }
        return out.build();
    }

    static EndpointSet decode(ClusterLoadAssignment assignment) {
        List<dev.tulle.model.Endpoint> endpoints = new ArrayList<>();
        for (LocalityLbEndpoints locality : assignment.getEndpointsList()) {
            for (LbEndpoint endpoint : locality.getLbEndpointsList()) {
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
                        facts.getOrDefault("namespace", "")));
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
