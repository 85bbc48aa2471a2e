package dev.tulle.xds;

import com.google.protobuf.BoolValue;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.CorsPolicy;
import dev.tulle.xds.proto.envoy.config.core.v3.RuntimeFractionalPercent;
import dev.tulle.xds.proto.envoy.type.v3.FractionalPercent;

/** {@link CorsPolicy} as the CorsPolicy of Envoy's filter. */
final class CorsCodec implements FilterCodec<CorsPolicy> {
    private static final int ALL = 1_000_000;

    @Override
    public Class<CorsPolicy> kind() {
        return CorsPolicy.class;
    }

    @Override
    public String name() {
        return "envoy.filters.http.cors";
    }

    @Override
    public String filterType() {
        return "cors.v3.Cors";
    }

    @Override
    public String routeType() {
        return "cors.v3.CorsPolicy";
    }

    @Override
    public dev.tulle.xds.proto.envoy.extensions.filters.http.cors.v3.CorsPolicy encode(CorsPolicy policy) {
        var out = dev.tulle.xds.proto.envoy.extensions.filters.http.cors.v3.CorsPolicy.newBuilder()
                .setAllowMethods(policy.methods())
                .setAllowHeaders(policy.headers())
                .setExposeHeaders(policy.exposed())
                .setMaxAge(policy.maxAge())
                .setForwardNotMatchingPreflights(BoolValue.of(policy.forwardsUnmatched()));
        policy.origins().forEach(origin -> out.addAllowOriginStringMatch(RouteMatchCodec.string(origin)));
        if (policy.credentials()) {
            out.setAllowCredentials(BoolValue.of(true));
        }
        return out.build();
    }

    @Override
    public CorsPolicy decode(ByteString message) throws InvalidProtocolBufferException {
        var policy = dev.tulle.xds.proto.envoy.extensions.filters.http.cors.v3.CorsPolicy.parseFrom(message);
        if (policy.hasFilterEnabled() && parts(policy.getFilterEnabled()) != ALL) {
            throw new IllegalArgumentException("CORS filter_enabled for a part of the requests: expected all");
        }
        return new CorsPolicy(
                policy.getAllowOriginStringMatchList().stream()
                        .map(RouteMatchCodec::string)
                        .toList(),
                policy.getAllowMethods(),
                policy.getAllowHeaders(),
                policy.getExposeHeaders(),
                policy.getMaxAge(),
                policy.getAllowCredentials().getValue(),
                !policy.hasForwardNotMatchingPreflights()
                        || policy.getForwardNotMatchingPreflights().getValue());
    }

    private static int parts(RuntimeFractionalPercent enabled) {
        FractionalPercent share = enabled.getDefaultValue();
        return RouteActionCodec.share(share);
    }
}
