package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryResponse;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;

/** The methods of Envoy's aggregated discovery service. */
final class DiscoveryMethod {
    static final String SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService";

    static final MethodDescriptor<DeltaDiscoveryRequest, DeltaDiscoveryResponse> DELTA =
            MethodDescriptor.<DeltaDiscoveryRequest, DeltaDiscoveryResponse>newBuilder()
                    .setType(MethodType.BIDI_STREAMING)
                    .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "DeltaAggregatedResources"))
                    .setRequestMarshaller(ProtoUtils.marshaller(DeltaDiscoveryRequest.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(DeltaDiscoveryResponse.getDefaultInstance()))
                    .build();

    static final MethodDescriptor<DiscoveryRequest, DiscoveryResponse> SOTW =
            MethodDescriptor.<DiscoveryRequest, DiscoveryResponse>newBuilder()
                    .setType(MethodType.BIDI_STREAMING)
                    .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "StreamAggregatedResources"))
                    .setRequestMarshaller(ProtoUtils.marshaller(DiscoveryRequest.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(DiscoveryResponse.getDefaultInstance()))
                    .build();

    /** {@link #DELTA} as the server serves it. */
    static final MethodDescriptor<Received<DeltaDiscoveryRequest>, DeltaDiscoveryResponse> SERVED_DELTA =
            Received.served(DELTA, RequestLimits.MAX_BYTES, RequestLimits::check);

    /** {@link #SOTW} as the server serves it. */
    static final MethodDescriptor<Received<DiscoveryRequest>, DiscoveryResponse> SERVED_SOTW =
            Received.served(SOTW, RequestLimits.MAX_BYTES, RequestLimits::check);

    private DiscoveryMethod() {}
}
