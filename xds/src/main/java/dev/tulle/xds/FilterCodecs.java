package dev.tulle.xds;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.RouteFilter;
import dev.tulle.xds.proto.envoy.config.route.v3.FilterConfig;
import dev.tulle.xds.proto.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The filters that routes may have, in the order in which a request meets them: Istio's. */
final class FilterCodecs {
    private static final String TYPES = "type.googleapis.com/envoy.extensions.filters.http.";

    private static final String ANY = "type.googleapis.com/";
    private static final String OPTIONAL = ANY + "envoy.config.route.v3.FilterConfig";

    private static final List<FilterCodec<?>> ALL = List.of(new FaultCodec(), new CorsCodec(), new CompressionCodec());

    private FilterCodecs() {}

    /** What a route says to its filters. */
    static Map<String, Any> encode(List<RouteFilter> filters) {
        Map<String, Any> out = new LinkedHashMap<>();
        for (RouteFilter filter : filters) {
            FilterCodec<?> codec = ALL.stream()
                    .filter(known -> known.kind().isInstance(filter))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("no codec for the filter " + filter));
            if (out.put(codec.name(), encode(codec, filter)) != null) {
                throw new IllegalArgumentException("a route with two filters " + codec.name());
            }
        }
        return out;
    }

    private static <F extends RouteFilter> Any encode(FilterCodec<F> codec, RouteFilter filter) {
        Any config =
                ResourceCodec.any(routeType(codec), codec.encode(codec.kind().cast(filter)));
        return isOwn(codec)
                ? ResourceCodec.any(
                        OPTIONAL,
                        FilterConfig.newBuilder()
                                .setConfig(config)
                                .setIsOptional(true)
                                .build())
                : config;
    }

    private static boolean isOwn(FilterCodec<?> codec) {
        return codec.filterType().isEmpty();
    }

    private static String routeType(FilterCodec<?> codec) {
        return (isOwn(codec) ? ANY : TYPES) + codec.routeType();
    }

    /** What a route says to a filter, whether or not every proxy has that. */
    private static Any said(Any config) {
        try {
            return config.getTypeUrl().equals(OPTIONAL)
                    ? FilterConfig.parseFrom(config.getValue()).getConfig()
                    : config;
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException("typed_per_filter_config: " + e.getMessage(), e);
        }
    }

    /**
     * The filters of a route, in the order in which its requests meet them.
     *
     * @throws IllegalArgumentException when the route speaks to another one, or of something that cannot be honoured
     */
    static List<RouteFilter> decode(Map<String, Any> perFilter) {
        perFilter.forEach((name, given) -> {
            Any config = said(given);
            if (ALL.stream()
                    .noneMatch(codec ->
                            codec.name().equals(name) && config.getTypeUrl().equals(routeType(codec)))) {
                throw new IllegalArgumentException(
                        "typed_per_filter_config[" + name + "] of type " + config.getTypeUrl() + " cannot be honoured");
            }
        });
        List<RouteFilter> out = new ArrayList<>();
        for (FilterCodec<?> codec : ALL) {
            Any config = perFilter.get(codec.name());
            if (config != null) {
                try {
                    out.add(codec.decode(said(config).getValue()));
                } catch (InvalidProtocolBufferException e) {
                    throw new IllegalArgumentException(
                            "typed_per_filter_config[" + codec.name() + "]: " + e.getMessage(), e);
                }
            }
        }
        return out;
    }

    /** The entries of a listener, without which Envoy passes over what routes say. */
    static List<HttpFilter> entries() {
        List<HttpFilter> out = new ArrayList<>();
        for (FilterCodec<?> codec : ALL) {
            if (!isOwn(codec)) {
                out.add(HttpFilter.newBuilder()
                        .setName(codec.name())
                        .setTypedConfig(Any.newBuilder().setTypeUrl(TYPES + codec.filterType()))
                        .build());
            }
        }
        return out;
    }

    /** True for a listener's entry that says nothing by itself: what it said for all routes would be read by nobody. */
    static boolean isEntry(Any config) {
        return config.getValue().isEmpty()
                && ALL.stream()
                        .anyMatch(codec -> !isOwn(codec) && config.getTypeUrl().equals(TYPES + codec.filterType()));
    }
}
