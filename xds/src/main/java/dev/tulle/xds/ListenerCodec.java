package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.Listener.Target;
import dev.tulle.model.WeightedCluster;
import dev.tulle.xds.proto.envoy.config.core.v3.SocketAddress;
import dev.tulle.xds.proto.envoy.config.listener.v3.Filter;
import dev.tulle.xds.proto.envoy.config.listener.v3.FilterChain;
import dev.tulle.xds.proto.envoy.config.listener.v3.FilterChainMatch;
import dev.tulle.xds.proto.envoy.config.listener.v3.Listener;
import dev.tulle.xds.proto.envoy.config.listener.v3.ListenerFilter;
import dev.tulle.xds.proto.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import dev.tulle.xds.proto.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import dev.tulle.xds.proto.envoy.extensions.filters.network.http_connection_manager.v3.Rds;
import dev.tulle.xds.proto.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@link dev.tulle.model.Listener} as Envoy's Listener: an HTTP connection manager with routes fetched over the same
 * stream, a TCP proxy, or, where the protocol must be detected, one chain for HTTP and the other as the default.
 */
final class ListenerCodec {
    private static final String TYPES = "type.googleapis.com/envoy.extensions.filters.";
    private static final String HCM_URL = TYPES + "network.http_connection_manager.v3.HttpConnectionManager";
    private static final String TCP_URL = TYPES + "network.tcp_proxy.v3.TcpProxy";
    private static final String ROUTER_URL = TYPES + "http.router.v3.Router";
    private static final String INSPECTOR_URL = TYPES + "listener.http_inspector.v3.HttpInspector";

    /** What the inspector calls the protocols of the chain for HTTP. */
    private static final List<String> HTTP = List.of("http/1.0", "http/1.1", "h2c");

    private ListenerCodec() {}

    static Listener encode(dev.tulle.model.Listener listener) {
        Listener.Builder out = Listener.newBuilder()
                .setName(listener.name())
                .setAddress(EndpointsCodec.socket(listener.address(), listener.port()))
                .setMetadata(MetadataCodec.encode(facts(listener)));
        switch (listener.target()) {
            case Target.Tcp tcp ->
                out.addFilterChains(FilterChain.newBuilder().addFilters(tcpFilter(listener, tcp.clusters())));
            case Target.Http http
            when !http.detect() -> out.addFilterChains(FilterChain.newBuilder().addFilters(httpFilter(listener, http)));
            case Target.Http http -> {
                out.addListenerFilters(ListenerFilter.newBuilder()
                        .setName("envoy.filters.listener.http_inspector")
                        .setTypedConfig(Any.newBuilder().setTypeUrl(INSPECTOR_URL)));
                out.addFilterChains(FilterChain.newBuilder()
                        .setFilterChainMatch(FilterChainMatch.newBuilder().addAllApplicationProtocols(HTTP))
                        .addFilters(httpFilter(listener, http)));
                out.setDefaultFilterChain(FilterChain.newBuilder().addFilters(tcpFilter(listener, http.fallback())));
            }
            case Target.Edge edge -> EdgeCodec.encode(edge, listener, out);
        }
        return out.build();
    }

    static dev.tulle.model.Listener decode(Listener listener) {
        if (EdgeCodec.isOne(listener)) {
            return EdgeCodec.decode(listener);
        }
        SocketAddress address = listener.getAddress().getSocketAddress();
        if (listener.getFilterChainsCount() != 1 || listener.getFilterChains(0).getFiltersCount() != 1) {
            throw new IllegalArgumentException("listener " + listener.getName() + " has "
                    + listener.getFilterChainsCount() + " filter chains; expected 1 with 1 filter");
        }
        FilterChain chain = listener.getFilterChains(0);
        Target target;
        try {
            target = target(listener, chain.getFilters(0), MetadataCodec.decode(listener.getMetadata()));
            require(
                    listener,
                    "filter_chain_match.destination_port",
                    !chain.getFilterChainMatch().hasDestinationPort());
            require(
                    listener,
                    "filter_chain_match.server_names",
                    chain.getFilterChainMatch().getServerNamesCount() == 0);
            require(
                    listener,
                    "filter_chain_match.transport_protocol",
                    chain.getFilterChainMatch().getTransportProtocol().isEmpty());
            require(listener, "transport_socket", !chain.hasTransportSocket());
            List<String> spoken = listener.hasDefaultFilterChain() ? HTTP : List.of();
            require(
                    listener,
                    "filter_chains[0].filter_chain_match",
                    chain.getFilterChainMatch().getApplicationProtocolsList().equals(spoken));
            for (ListenerFilter inspector : listener.getListenerFiltersList()) {
                require(
                        listener,
                        "listener_filters of type " + inspector.getTypedConfig().getTypeUrl(),
                        listener.hasDefaultFilterChain()
                                && inspector.getTypedConfig().getTypeUrl().equals(INSPECTOR_URL));
            }
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException(
                    "listener " + listener.getName() + ": filter cannot be read: " + e.getMessage(), e);
        }
        return new dev.tulle.model.Listener(
                listener.getName(),
                address.getAddress(),
                EndpointsCodec.port(address),
                MetadataCodec.decode(listener.getMetadata()).getOrDefault("hostname", ""),
                target);
    }

    private static Map<String, String> facts(dev.tulle.model.Listener listener) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("hostname", listener.hostname());
        putSpoken(facts, listener.target());
        return facts;
    }

    /**
     * Adds that a port says that HTTP/2 is spoken. Envoy's {@code codec_type} would say more: an Envoy that is told so
     * serves nobody who speaks HTTP/1.1.
     */
    static void putSpoken(Map<String, String> facts, Target target) {
        if (target instanceof Target.Http http && http.http2()) {
            facts.put("spoken", "http2");
        }
    }

    /**
     * What the one filter of a chain does.
     *
     * @param facts the metadata of what has the chain
     */
    static Target target(Listener listener, Filter of, Map<String, String> facts)
            throws InvalidProtocolBufferException {
        Any filter = of.getTypedConfig();
        if (filter.getTypeUrl().equals(TCP_URL)) {
            require(listener, "default_filter_chain", !listener.hasDefaultFilterChain());
            return new Target.Tcp(clusters(filter));
        }
        if (filter.getTypeUrl().equals(HCM_URL)) {
            HttpConnectionManager manager = HttpConnectionManager.parseFrom(filter.getValue());
            String routes = routes(listener, manager);
            boolean detect = listener.hasDefaultFilterChain();
            return new Target.Http(
                    routes,
                    detect,
                    detect ? fallback(listener, listener.getDefaultFilterChain()) : List.of(),
                    trustedHops(listener, manager),
                    facts.getOrDefault("spoken", "").equals("http2"));
        }
        throw new IllegalArgumentException("listener " + listener.getName() + ": filter of type " + filter.getTypeUrl()
                + ", expected an HTTP connection manager or a TCP proxy");
    }

    /** The name of the routes, where nothing but they and their filters is said about requests. */
    private static String routes(Listener listener, HttpConnectionManager manager) {
        for (HttpFilter filter : manager.getHttpFiltersList()) {
            Any config = filter.getTypedConfig();
            require(
                    listener,
                    "http_filters of type " + config.getTypeUrl(),
                    config.getTypeUrl().equals(ROUTER_URL) || FilterCodecs.isEntry(config));
        }
        require(
                listener,
                "rds.config_source",
                manager.getRds().getConfigSource().hasAds());
        return manager.getRds().getRouteConfigName();
    }

    /** At the edge requests have a caller outside; elsewhere they say of themselves what they want. */
    private static int trustedHops(Listener listener, HttpConnectionManager manager) {
        boolean edge = EdgeCodec.isOne(listener);
        int hops = manager.getXffNumTrustedHops();
        boolean remote = manager.getUseRemoteAddress().getValue();
        // A control plane of before this field was read says nothing, and means the same.
        require(listener, "use_remote_address " + remote, remote ? edge : !edge || !manager.hasUseRemoteAddress());
        require(listener, "xff_num_trusted_hops " + Integer.toUnsignedString(hops), edge ? hops >= 0 : hops == 0);
        return hops;
    }

    private static List<WeightedCluster> fallback(Listener listener, FilterChain chain)
            throws InvalidProtocolBufferException {
        require(
                listener,
                "default_filter_chain",
                chain.getFiltersCount() == 1
                        && !chain.hasFilterChainMatch()
                        && chain.getFilters(0).getTypedConfig().getTypeUrl().equals(TCP_URL));
        return clusters(chain.getFilters(0).getTypedConfig());
    }

    static void require(Listener listener, String what, boolean right) {
        if (!right) {
            throw new IllegalArgumentException("listener " + listener.getName() + ": " + what + " cannot be honoured");
        }
    }

    static Filter httpFilter(dev.tulle.model.Listener listener, Target.Http http) {
        return filter(manager(listener, http));
    }

    /** At the mesh's edge, where a request's caller is who made the connection, or whom trusted proxies name. */
    static Filter edgeFilter(dev.tulle.model.Listener listener, Target.Http http) {
        return filter(manager(listener, http)
                .setUseRemoteAddress(BoolValue.of(true))
                .setXffNumTrustedHops(http.trustedHops()));
    }

    private static Filter filter(HttpConnectionManager.Builder manager) {
        return Filter.newBuilder()
                .setName("envoy.filters.network.http_connection_manager")
                .setTypedConfig(ResourceCodec.any(HCM_URL, manager.build()))
                .build();
    }

    private static HttpConnectionManager.Builder manager(dev.tulle.model.Listener listener, Target.Http http) {
        return HttpConnectionManager.newBuilder()
                .setStatPrefix(listener.name())
                .setRds(Rds.newBuilder()
                        .setConfigSource(ClusterCodec.ads())
                        .setRouteConfigName(http.routeConfiguration()))
                .addAllHttpFilters(FilterCodecs.entries())
                .addHttpFilters(HttpFilter.newBuilder()
                        .setName("envoy.filters.http.router")
                        .setTypedConfig(Any.newBuilder().setTypeUrl(ROUTER_URL)));
    }

    /** Shares of weight 0 are left out: Envoy's TCP proxy refuses them, and nothing goes there. */
    static Filter tcpFilter(dev.tulle.model.Listener listener, List<WeightedCluster> clusters) {
        TcpProxy.Builder tcp = TcpProxy.newBuilder().setStatPrefix(listener.name());
        List<WeightedCluster> used =
                clusters.stream().filter(cluster -> cluster.weight() > 0).toList();
        if (used.isEmpty()) {
            throw new IllegalArgumentException(
                    "listener " + listener.name() + ": no cluster with a weight above 0 for its connections");
        }
        if (used.size() == 1 && used.getFirst().weight() == 1) {
            tcp.setCluster(used.getFirst().cluster());
        } else {
            TcpProxy.WeightedCluster.Builder split = TcpProxy.WeightedCluster.newBuilder();
            for (WeightedCluster cluster : used) {
                split.addClusters(TcpProxy.WeightedCluster.ClusterWeight.newBuilder()
                        .setName(cluster.cluster())
                        .setWeight(cluster.weight()));
            }
            tcp.setWeightedClusters(split);
        }
        return Filter.newBuilder()
                .setName("envoy.filters.network.tcp_proxy")
                .setTypedConfig(ResourceCodec.any(TCP_URL, tcp.build()))
                .build();
    }

    private static List<WeightedCluster> clusters(Any filter) throws InvalidProtocolBufferException {
        TcpProxy tcp = TcpProxy.parseFrom(filter.getValue());
        if (!tcp.getCluster().isEmpty()) {
            return List.of(new WeightedCluster(tcp.getCluster(), 1));
        }
        List<WeightedCluster> clusters = new ArrayList<>();
        tcp.getWeightedClusters()
                .getClustersList()
                .forEach(cluster -> clusters.add(new WeightedCluster(cluster.getName(), cluster.getWeight())));
        return clusters;
    }
}
