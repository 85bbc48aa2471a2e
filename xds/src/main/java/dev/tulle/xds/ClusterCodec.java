package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UInt32Value;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.Cluster.Protocol;
import dev.tulle.xds.proto.envoy.config.cluster.v3.CircuitBreakers;
import dev.tulle.xds.proto.envoy.config.cluster.v3.Cluster;
import dev.tulle.xds.proto.envoy.config.cluster.v3.Cluster.DiscoveryType;
import dev.tulle.xds.proto.envoy.config.cluster.v3.Cluster.LbPolicy;
import dev.tulle.xds.proto.envoy.config.core.v3.AggregatedConfigSource;
import dev.tulle.xds.proto.envoy.config.core.v3.ApiVersion;
import dev.tulle.xds.proto.envoy.config.core.v3.ConfigSource;
import dev.tulle.xds.proto.envoy.config.core.v3.Http1ProtocolOptions;
import dev.tulle.xds.proto.envoy.config.core.v3.Http2ProtocolOptions;
import dev.tulle.xds.proto.envoy.config.core.v3.HttpProtocolOptions;
import dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig;
import dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@link dev.tulle.model.Cluster} as Envoy's Cluster, its endpoints fetched over the same stream. */
final class ClusterCodec {
    /** The key, and the end of the type URL, of Envoy's HTTP options of a cluster. */
    static final String HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

    private static final String HTTP_OPTIONS_URL = "type.googleapis.com/" + HTTP_OPTIONS;
    private static final Pattern NAME = Pattern.compile("outbound\\|(\\d{1,5})\\|([^|]*)\\|([^|]+)");

    /** Envoy bounds connections and requests at 1024 unless told otherwise; this is how Istio says "no bound". */
    private static final int NO_BOUND = -1;

    private ClusterCodec() {}

    static Cluster encode(dev.tulle.model.Cluster cluster) {
        Cluster.Builder out = Cluster.newBuilder()
                .setName(cluster.name())
                .setConnectTimeout(Durations.encode(cluster.connectTimeout()))
                .setCircuitBreakers(CircuitBreakers.newBuilder()
                        .addThresholds(CircuitBreakers.Thresholds.newBuilder()
                                .setMaxConnections(bound(cluster.maxConnections()))
                                .setMaxPendingRequests(bound(cluster.maxPendingRequests()))
                                .setMaxRequests(bound(0))
                                .setMaxRetries(bound(0))))
                .putTypedExtensionProtocolOptions(HTTP_OPTIONS, httpOptions(cluster));
        if (cluster.balancing() == Balancing.PASSTHROUGH) {
            out.setType(DiscoveryType.ORIGINAL_DST).setLbPolicy(LbPolicy.CLUSTER_PROVIDED);
        } else {
            out.setType(DiscoveryType.EDS)
                    .setLbPolicy(policy(cluster.balancing()))
                    .setEdsClusterConfig(Cluster.EdsClusterConfig.newBuilder().setEdsConfig(ads()));
        }
        TransportSockets.encode(cluster, offered(cluster.protocol())).ifPresent(out::setTransportSocket);
        Map<String, String> facts = new LinkedHashMap<>();
        if (!dev.tulle.model.Cluster.nameOf(cluster.port(), cluster.subset(), cluster.hostname())
                .equals(cluster.name())) {
            facts.put("hostname", cluster.hostname());
            facts.put("port", Integer.toString(cluster.port()));
            facts.put("subset", cluster.subset());
        }
        MetadataCodec.putOrigin(facts, cluster.origin());
        if (!facts.isEmpty()) {
            out.setMetadata(MetadataCodec.encode(facts));
        }
        return out.build();
    }

    static dev.tulle.model.Cluster decode(Cluster cluster) {
        Map<String, String> facts = MetadataCodec.decode(cluster.getMetadata());
        String hostname = facts.getOrDefault("hostname", "");
        int port = MetadataCodec.number(facts.getOrDefault("port", "0"));
        String subset = facts.getOrDefault("subset", "");
        Matcher name = NAME.matcher(cluster.getName());
        if (!facts.containsKey("hostname") && name.matches()) {
            port = Integer.parseInt(name.group(1));
            subset = name.group(2);
            hostname = name.group(3);
        }
        int maxConnections = 0;
        int maxPendingRequests = 0;
        if (cluster.getCircuitBreakers().getThresholdsCount() > 1) {
            throw new IllegalArgumentException("circuit_breakers.thresholds: expected one for all requests");
        }
        if (cluster.getCircuitBreakers().getThresholdsCount() > 0) {
            CircuitBreakers.Thresholds thresholds = cluster.getCircuitBreakers().getThresholds(0);
            maxConnections =
                    threshold("max_connections", thresholds.hasMaxConnections(), thresholds.getMaxConnections());
            maxPendingRequests = threshold(
                    "max_pending_requests", thresholds.hasMaxPendingRequests(), thresholds.getMaxPendingRequests());
            unbounded("max_requests", thresholds.hasMaxRequests(), thresholds.getMaxRequests());
            unbounded("max_retries", thresholds.hasMaxRetries(), thresholds.getMaxRetries());
        }
        var options = httpOptions(cluster);
        HttpProtocolOptions http = options.getCommonHttpProtocolOptions();
        TransportSockets.Decoded transport = cluster.hasTransportSocket()
                ? TransportSockets.decode(cluster.getTransportSocket(), offered(protocol(options)))
                : new TransportSockets.Decoded(dev.tulle.model.Cluster.ProxyProtocol.NONE, Optional.empty());
        return new dev.tulle.model.Cluster(
                cluster.getName(),
                hostname,
                port,
                subset,
                balancing(cluster),
                cluster.hasConnectTimeout()
                        ? Durations.decode(cluster.getConnectTimeout())
                        : dev.tulle.model.Cluster.DEFAULT_CONNECT_TIMEOUT,
                maxConnections,
                maxPendingRequests,
                bound(http.hasMaxRequestsPerConnection(), http.getMaxRequestsPerConnection()),
                http.hasIdleTimeout()
                        ? Durations.decode(http.getIdleTimeout())
                        : dev.tulle.model.Cluster.DEFAULT_IDLE_TIMEOUT,
                protocol(options),
                Http2OptionsCodec.decode(http2(options)),
                transport.tls(),
                transport.proxyProtocol(),
                MetadataCodec.origin(facts));
    }

    /** What is offered where Envoy does not offer by itself what it is going to speak. */
    private static List<String> offered(Protocol protocol) {
        return protocol == Protocol.HTTP2 ? List.of("h2") : List.of();
    }

    /** The source of configuration of everything that refers to something else: this same stream. */
    static ConfigSource ads() {
        return ConfigSource.newBuilder()
                .setAds(AggregatedConfigSource.getDefaultInstance())
                .setInitialFetchTimeout(Durations.encode(Duration.ofSeconds(5)))
                .setResourceApiVersion(ApiVersion.V3)
                .build();
    }

    private static Any httpOptions(dev.tulle.model.Cluster cluster) {
        HttpProtocolOptions.Builder common =
                HttpProtocolOptions.newBuilder().setIdleTimeout(Durations.encode(cluster.idleTimeout()));
        if (cluster.maxRequestsPerConnection() > 0) {
            common.setMaxRequestsPerConnection(UInt32Value.of(cluster.maxRequestsPerConnection()));
        }
        var options = dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.newBuilder()
                .setCommonHttpProtocolOptions(common);
        Http1ProtocolOptions http1 = Http1ProtocolOptions.getDefaultInstance();
        Http2ProtocolOptions http2 = Http2OptionsCodec.encode(cluster.http2());
        switch (cluster.protocol()) {
            case HTTP1 ->
                options.setExplicitHttpConfig(ExplicitHttpConfig.newBuilder().setHttpProtocolOptions(http1));
            case HTTP2 ->
                options.setExplicitHttpConfig(ExplicitHttpConfig.newBuilder().setHttp2ProtocolOptions(http2));
            case AS_CLIENT ->
                options.setUseDownstreamProtocolConfig(UseDownstreamHttpConfig.newBuilder()
                        .setHttpProtocolOptions(http1)
                        .setHttp2ProtocolOptions(http2));
        }
        return ResourceCodec.any(HTTP_OPTIONS_URL, options.build());
    }

    private static Http2ProtocolOptions http2(
            dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions options) {
        return options.hasUseDownstreamProtocolConfig()
                ? options.getUseDownstreamProtocolConfig().getHttp2ProtocolOptions()
                : options.getExplicitHttpConfig().getHttp2ProtocolOptions();
    }

    private static Protocol protocol(
            dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions options) {
        if (options.hasUseDownstreamProtocolConfig()) {
            UseDownstreamHttpConfig either = options.getUseDownstreamProtocolConfig();
            if (!either.hasHttpProtocolOptions()) {
                throw new IllegalArgumentException(
                        "use_downstream_protocol_config without http_protocol_options: expected them, empty");
            }
            // Without options for HTTP/2 Envoy falls back to HTTP/1.1.
            return either.hasHttp2ProtocolOptions() ? Protocol.AS_CLIENT : Protocol.HTTP1;
        }
        return options.getExplicitHttpConfig().hasHttp2ProtocolOptions() ? Protocol.HTTP2 : Protocol.HTTP1;
    }

    private static dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions httpOptions(
            Cluster cluster) {
        for (String key : cluster.getTypedExtensionProtocolOptionsMap().keySet()) {
            if (!key.equals(HTTP_OPTIONS)) {
                throw new IllegalArgumentException(
                        "typed_extension_protocol_options[" + key + "]: expected " + HTTP_OPTIONS);
            }
        }
        Any any = cluster.getTypedExtensionProtocolOptionsMap().get(HTTP_OPTIONS);
        if (any == null) {
            return dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.getDefaultInstance();
        }
        if (!any.getTypeUrl().equals(HTTP_OPTIONS_URL)) {
            throw new IllegalArgumentException(
                    "typed_extension_protocol_options[" + HTTP_OPTIONS + "]: type " + any.getTypeUrl());
        }
        try {
            return dev.tulle.xds.proto.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.parseFrom(any.getValue());
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException(
                    "typed_extension_protocol_options[" + HTTP_OPTIONS + "]: " + e.getMessage(), e);
        }
    }

    private static LbPolicy policy(Balancing balancing) {
        return switch (balancing) {
            case LEAST_REQUEST -> LbPolicy.LEAST_REQUEST;
            case ROUND_ROBIN -> LbPolicy.ROUND_ROBIN;
            case RANDOM -> LbPolicy.RANDOM;
            case SOURCE_HASH -> LbPolicy.MAGLEV;
            case PASSTHROUGH -> LbPolicy.CLUSTER_PROVIDED;
        };
    }

    private static Balancing balancing(Cluster cluster) {
        boolean dialled = cluster.getLbPolicy() == LbPolicy.CLUSTER_PROVIDED;
        if (cluster.getType() != (dialled ? DiscoveryType.ORIGINAL_DST : DiscoveryType.EDS)) {
            throw new IllegalArgumentException("type " + cluster.getTypeValue() + " with lb_policy "
                    + cluster.getLbPolicyValue() + ": expected EDS, or ORIGINAL_DST with CLUSTER_PROVIDED");
        }
        if (cluster.getEdsClusterConfig().getEdsConfig().hasAds() == dialled) {
            throw new IllegalArgumentException("eds_cluster_config.eds_config: expected ads with EDS, nothing without");
        }
        return switch (cluster.getLbPolicy()) {
            case ROUND_ROBIN -> Balancing.ROUND_ROBIN;
            case RANDOM -> Balancing.RANDOM;
            case MAGLEV -> Balancing.SOURCE_HASH;
            case LEAST_REQUEST -> Balancing.LEAST_REQUEST;
            case CLUSTER_PROVIDED -> Balancing.PASSTHROUGH;
            default ->
                throw new IllegalArgumentException("lb_policy " + cluster.getLbPolicyValue()
                        + ": expected ROUND_ROBIN, LEAST_REQUEST, RANDOM, MAGLEV or CLUSTER_PROVIDED");
        };
    }

    private static int threshold(String name, boolean present, UInt32Value value) {
        if (present && value.getValue() == 0) {
            throw new IllegalArgumentException("circuit_breakers.thresholds[0]." + name + " 0: expected 1 or more");
        }
        return bound(present, value);
    }

    private static void unbounded(String name, boolean present, UInt32Value value) {
        if (threshold(name, present, value) > 0) {
            throw new IllegalArgumentException("circuit_breakers.thresholds[0]." + name + " "
                    + Integer.toUnsignedString(value.getValue()) + ": expected no bound");
        }
    }

    private static UInt32Value bound(int value) {
        return UInt32Value.of(value == 0 ? NO_BOUND : value);
    }

    private static int bound(boolean present, UInt32Value value) {
        return !present || value.getValue() < 0 ? 0 : value.getValue();
    }
}
