package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryResponse;
import io.grpc.MethodDescriptor;

/** The methods of Envoy's secret discovery service: those of the aggregated one under other names. */
final class SecretMethod {
    static final String SERVICE = "envoy.service.secret.v3.SecretDiscoveryService";

    static final MethodDescriptor<Received<DeltaDiscoveryRequest>, DeltaDiscoveryResponse> SERVED_DELTA =
            named(DiscoveryMethod.SERVED_DELTA, "DeltaSecrets");

    static final MethodDescriptor<Received<DiscoveryRequest>, DiscoveryResponse> SERVED_SOTW =
            named(DiscoveryMethod.SERVED_SOTW, "StreamSecrets");

    private SecretMethod() {}

    private static <Q, P> MethodDescriptor<Q, P> named(MethodDescriptor<Q, P> method, String name) {
        return method.toBuilder()
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
                .build();
    }
}
