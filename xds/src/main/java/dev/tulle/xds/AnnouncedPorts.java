package dev.tulle.xds;

import com.google.protobuf.Any;
import dev.tulle.model.Listener.Target;
import dev.tulle.xds.proto.envoy.config.listener.v3.Listener;
import dev.tulle.xds.proto.envoy.config.listener.v3.ListenerFilter;
import dev.tulle.xds.proto.envoy.config.listener.v3.ListenerFilterChainMatchPredicate;
import dev.tulle.xds.proto.envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet;
import dev.tulle.xds.proto.envoy.type.v3.Int32Range;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The ports of the edge whose connections begin with a header of the PROXY protocol, as Envoy's listener filter for it. That
 * is one for the whole listener: the other ports are those for which it is disabled.
 */
final class AnnouncedPorts {
    private static final String URL =
            "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";

    private AnnouncedPorts() {}

    static Optional<ListenerFilter> encode(Target.Edge edge) {
        if (edge.announced().isEmpty()) {
            return Optional.empty();
        }
        ListenerFilter.Builder filter = ListenerFilter.newBuilder()
                .setName("envoy.filters.listener.proxy_protocol")
                .setTypedConfig(Any.newBuilder().setTypeUrl(URL));
        List<ListenerFilterChainMatchPredicate> others = edge.ports().stream()
                .filter(port -> !edge.announced().contains(port))
                .map(AnnouncedPorts::at)
                .toList();
        // A set of one is none to Envoy.
        if (others.size() == 1) {
            filter.setFilterDisabled(others.getFirst());
        } else if (others.size() > 1) {
            filter.setFilterDisabled(ListenerFilterChainMatchPredicate.newBuilder()
                    .setOrMatch(MatchSet.newBuilder().addAllRules(others)));
        }
        return Optional.of(filter.build());
    }

    private static ListenerFilterChainMatchPredicate at(int port) {
        return ListenerFilterChainMatchPredicate.newBuilder()
                .setDestinationPortRange(Int32Range.newBuilder().setStart(port).setEnd(port + 1))
                .build();
    }

    /**
     * The ports with a header.
     *
     * @param ports those of the listener
     */
    static Set<Integer> decode(Listener listener, Set<Integer> ports) {
        Set<Integer> announced = new TreeSet<>();
        ListenerCodec.require(
                listener,
                listener.getListenerFiltersCount() + " listener_filters",
                listener.getListenerFiltersCount() <= 1);
        for (ListenerFilter filter : listener.getListenerFiltersList()) {
            String type = filter.getTypedConfig().getTypeUrl();
            ListenerCodec.require(listener, "listener_filters of type " + type, type.equals(URL));
            announced.addAll(ports);
            if (filter.hasFilterDisabled()) {
                ListenerFilterChainMatchPredicate disabled = filter.getFilterDisabled();
                List<ListenerFilterChainMatchPredicate> rules =
                        disabled.hasOrMatch() ? disabled.getOrMatch().getRulesList() : List.of(disabled);
                for (ListenerFilterChainMatchPredicate rule : rules) {
                    Int32Range range = rule.getDestinationPortRange();
                    ListenerCodec.require(
                            listener,
                            "filter_disabled for anything but single ports",
                            rule.hasDestinationPortRange() && range.getEnd() == range.getStart() + 1);
                    announced.remove(range.getStart());
                }
            }
        }
        return announced;
    }
}
