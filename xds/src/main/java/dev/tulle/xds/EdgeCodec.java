package dev.tulle.xds;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UInt32Value;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.WeightedCluster;
import dev.tulle.xds.proto.envoy.config.core.v3.SocketAddress;
import dev.tulle.xds.proto.envoy.config.listener.v3.AdditionalAddress;
import dev.tulle.xds.proto.envoy.config.listener.v3.FilterChain;
import dev.tulle.xds.proto.envoy.config.listener.v3.FilterChainMatch;
import dev.tulle.xds.proto.envoy.config.listener.v3.Listener;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The ports of the mesh's edge as one of Envoy's listeners: it has an address for each, and filter chains that are chosen
 * by the port that was dialled, and by the name that a caller of TLS asks for.
 */
final class EdgeCodec {
    /** What Envoy's inspector calls connections that begin as TLS does. */
    private static final String TLS = "tls";

    /** Istio's name for a cluster without endpoints. */
    private static final String NOWHERE = "BlackHoleCluster";

    private EdgeCodec() {}

    static void encode(Target.Edge edge, dev.tulle.model.Listener listener, Listener.Builder out) {
        edge.ports().stream()
                .filter(port -> port != listener.port())
                .forEach(port -> out.addAdditionalAddresses(
                        AdditionalAddress.newBuilder().setAddress(EndpointsCodec.socket(listener.address(), port))));
        AnnouncedPorts.encode(edge).ifPresent(out::addListenerFilters);
        for (Target.Chain chain : edge.chains()) {
            Map<String, String> facts = new LinkedHashMap<>();
            MetadataCodec.putOrigin(facts, chain.origin());
            ListenerCodec.putSpoken(facts, chain.target());
            FilterChain.Builder made = FilterChain.newBuilder()
                    .setName(chain.name())
                    .setFilterChainMatch(FilterChainMatch.newBuilder()
                            .setDestinationPort(UInt32Value.of(chain.port()))
                            .setTransportProtocol(chain.passes() ? TLS : "")
                            .addAllServerNames(chain.serverNames()));
            chain.tls().ifPresent(tls -> made.setTransportSocket(EdgeTlsCodec.encode(tls)));
            if (!facts.isEmpty()) {
                made.setMetadata(MetadataCodec.encode(facts));
            }
            out.addFilterChains(
                    switch (chain.target()) {
                        case Target.Tcp tcp ->
                            made.addFilters(ListenerCodec.tcpFilter(
                                    listener,
                                    tcp.clusters().isEmpty()
                                            ? List.of(new WeightedCluster(NOWHERE, 1))
                                            : tcp.clusters()));
                        case Target.Http http -> made.addFilters(ListenerCodec.edgeFilter(listener, http));
                        case Target.Edge _ -> throw new IllegalStateException("an edge within an edge");
                    });
        }
    }

    /** True for a listener that its name says to be the edge's. */
    static boolean isOne(Listener listener) {
        return listener.getName().equals(dev.tulle.model.Listener.EDGE);
    }

    static dev.tulle.model.Listener decode(Listener listener) {
        List<Target.Chain> chains = new ArrayList<>();
        ListenerCodec.require(listener, "default_filter_chain", !listener.hasDefaultFilterChain());
        for (FilterChain chain : listener.getFilterChainsList()) {
            FilterChainMatch match = chain.getFilterChainMatch();
            ListenerCodec.require(listener, "a filter chain without destination_port", match.hasDestinationPort());
            ListenerCodec.require(listener, "application_protocols", match.getApplicationProtocolsCount() == 0);
            ListenerCodec.require(listener, "a filter chain without one filter", chain.getFiltersCount() == 1);
            try {
                Optional<EdgeTls> tls = chain.hasTransportSocket()
                        ? Optional.of(EdgeTlsCodec.decode(chain.getTransportSocket()))
                        : Optional.empty();
                Map<String, String> facts = MetadataCodec.decode(chain.getMetadata());
                boolean passes = match.getTransportProtocol().equals(TLS) && tls.isEmpty();
                ListenerCodec.require(
                        listener,
                        "transport_protocol '" + match.getTransportProtocol() + "'",
                        passes || match.getTransportProtocol().isEmpty());
                ListenerCodec.require(
                        listener,
                        "server_names without TLS",
                        tls.isPresent() || passes || match.getServerNamesCount() == 0);
                chains.add(new Target.Chain(
                        chain.getName(),
                        match.getDestinationPort().getValue(),
                        match.getServerNamesList(),
                        tls,
                        passes,
                        edgeTarget(ListenerCodec.target(listener, chain.getFilters(0), facts)),
                        MetadataCodec.origin(facts)));
            } catch (InvalidProtocolBufferException e) {
                throw new IllegalArgumentException(
                        "listener " + listener.getName() + ": filter cannot be read: " + e.getMessage(), e);
            }
        }
        ListenerCodec.require(
                listener,
                "two filter chains of one name",
                chains.stream().map(Target.Chain::name).distinct().count() == chains.size());
        SocketAddress first = listener.getAddress().getSocketAddress();
        TreeSet<Integer> ports = new TreeSet<>();
        chains.forEach(chain -> ports.add(chain.port()));
        Target.Edge edge = new Target.Edge(chains, AnnouncedPorts.decode(listener, ports));
        TreeSet<Integer> addresses = new TreeSet<>(List.of(EndpointsCodec.port(first)));
        listener.getAdditionalAddressesList()
                .forEach(more ->
                        addresses.add(EndpointsCodec.port(more.getAddress().getSocketAddress())));
        ListenerCodec.require(
                listener, "addresses " + addresses + " beside filter chains for " + ports, addresses.equals(ports));
        return new dev.tulle.model.Listener(
                listener.getName(), first.getAddress(), EndpointsCodec.port(first), "", edge);
    }

    private static Target edgeTarget(Target target) {
        return target.equals(new Target.Tcp(List.of(new WeightedCluster(NOWHERE, 1))))
                ? new Target.Tcp(List.of())
                : target;
    }
}
