package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Locality;
import dev.tulle.model.LocalityPreference;
import dev.tulle.model.MeshState;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.ClusterLoadAssignment;
import dev.tulle.xds.proto.envoy.config.endpoint.v3.LocalityLbEndpoints;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * Goal: each client gets endpoints as they are to be used where it is, and nothing is sent twice. Method: sessions of
 * clients in several places over one mesh; the messages are read back.
 */
class EndpointViewsTest {
    private static final LocalityPreference NEAREST = new LocalityPreference.Nearest(Map.of());

    private static Endpoint at(String address, String place) {
        return new Endpoint(address, 80, 1, true, "", "").in(Locality.parse(place));
    }

    private static MeshState state(Map<String, Locality> nodes, EndpointSet... sets) {
        Map<String, EndpointSet> endpoints =
                List.of(sets).stream().collect(Collectors.toMap(EndpointSet::cluster, set -> set));
        return new MeshState(Map.of(), Map.of(), Map.of(), Map.of(), Map.of(), endpoints, Map.of(), nodes);
    }

    /** One client's stream. */
    private static final class Client {
        private final List<DeltaDiscoveryResponse> sent = new ArrayList<>();
        private final DeltaSession session = new DeltaSession(new ResponseOutput<>() {
            @Override
            public boolean isReady() {
                return true;
            }

            @Override
            public void send(String typeUrl, DeltaDiscoveryResponse response) {
                sent.add(response);
            }
        });

        Client(ResourceSnapshot snapshot, String node, Locality own) {
            session.update(snapshot);
            DeltaDiscoveryRequest.Builder request = DeltaDiscoveryRequest.newBuilder()
                    .setTypeUrl(ResourceType.ENDPOINTS.typeUrl())
                    .addResourceNamesSubscribe("near")
                    .addResourceNamesSubscribe("any");
            request.getNodeBuilder()
                    .setId(node)
                    .getLocalityBuilder()
                    .setRegion(own.region())
                    .setZone(own.zone());
            session.onRequest(request.build());
        }

        /** Addresses by priority, of each set in the last response. */
        String last() throws Exception {
            StringBuilder text = new StringBuilder();
            for (var resource : sent.getLast().getResourcesList()) {
                var assignment =
                        ClusterLoadAssignment.parseFrom(resource.getResource().getValue());
                text.append(text.isEmpty() ? "" : ", ")
                        .append(assignment.getClusterName())
                        .append(':');
                for (LocalityLbEndpoints group : assignment.getEndpointsList()) {
                    EndpointSet one = EndpointsCodec.decode(ClusterLoadAssignment.newBuilder()
                            .addEndpoints(group)
                            .build());
                    text.append(' ').append(group.getPriority()).append('=');
                    text.append(one.endpoints().stream().map(Endpoint::address).collect(Collectors.joining("+")));
                    assertEquals(
                            one.endpoints().size(),
                            group.getLoadBalancingWeight().getValue());
                }
            }
            return text.toString();
        }
    }

    @Test
    void eachClientGetsTheEndpointsAsTheyAreUsedWhereItIs() throws Exception {
        EndpointSet near = new EndpointSet("near", List.of(at("10.0.0.1", "r/z"), at("10.0.0.2", "q")), NEAREST);
        EndpointSet any = new EndpointSet("any", List.of(at("10.0.0.1", "r/z"), at("10.0.0.3", "r/z")));
        Map<String, Locality> nodes = Map.of("n1", Locality.parse("r/z"), "n2", Locality.parse("q"));
        ResourceSnapshot first = ResourceSnapshot.NONE.next(state(nodes, near, any));
        Client n1 = new Client(first, "n1", Locality.NONE);
        Client n2 = new Client(first, "n2", Locality.NONE);
        Client n3 = new Client(first, "n3", Locality.NONE);
        Client envoy = new Client(first, "n1", Locality.parse("q/z"));
        String same = ", any: 0=10.0.0.1+10.0.0.3";
        assertEquals("near: 0=10.0.0.1 1=10.0.0.2" + same, n1.last());
        assertEquals("near: 1=10.0.0.1 0=10.0.0.2" + same, n2.last());
        assertEquals("near: 0=10.0.0.1 0=10.0.0.2" + same, n3.last());
        assertEquals("near: 1=10.0.0.1 0=10.0.0.2" + same, envoy.last(), "what a client says itself counts");

        // What changes for nobody is sent to nobody; what changes for one place, to the clients there.
        EndpointSet more = new EndpointSet("any", List.of(at("10.0.0.3", "")));
        ResourceSnapshot second = first.next(state(nodes, near, more));
        assertSame(
                first.endpoints().of(Locality.parse("q")).resolve("near"),
                second.endpoints().of(Locality.parse("q")).resolve("near"),
                "encoded once");
        for (Client client : List.of(n1, n2, n3, envoy)) {
            int before = client.sent.size();
            client.session.update(second);
            assertEquals(before + 1, client.sent.size());
            assertEquals("any: 0=10.0.0.3", client.last());
        }
        ResourceSnapshot third =
                second.next(state(Map.of("n1", Locality.parse("q"), "n2", Locality.parse("q")), near, more));
        int before = n2.sent.size();
        n1.session.update(third);
        n2.session.update(third);
        assertEquals("near: 1=10.0.0.1 0=10.0.0.2", n1.last(), "its node has moved");
        assertEquals(before, n2.sent.size());
        assertNotNull(third.endpoints().of(Locality.NONE).resolve("any"));
    }
}
