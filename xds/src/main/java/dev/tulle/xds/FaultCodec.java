package dev.tulle.xds;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.FaultInjection;
import dev.tulle.xds.proto.envoy.extensions.filters.common.fault.v3.FaultDelay;
import dev.tulle.xds.proto.envoy.extensions.filters.http.fault.v3.FaultAbort;
import dev.tulle.xds.proto.envoy.extensions.filters.http.fault.v3.HTTPFault;
import java.util.Optional;

/** {@link FaultInjection} as Envoy's fault filter. */
final class FaultCodec implements FilterCodec<FaultInjection> {
    @Override
    public Class<FaultInjection> kind() {
        return FaultInjection.class;
    }

    @Override
    public String name() {
        return "envoy.filters.http.fault";
    }

    @Override
    public String filterType() {
        return "fault.v3.HTTPFault";
    }

    @Override
    public String routeType() {
        return filterType();
    }

    @Override
    public HTTPFault encode(FaultInjection fault) {
        HTTPFault.Builder out = HTTPFault.newBuilder();
        fault.delay()
                .ifPresent(delay -> out.setDelay(FaultDelay.newBuilder()
                        .setFixedDelay(Durations.encode(delay.duration()))
                        .setPercentage(RouteActionCodec.share(delay.partsPerMillion()))));
        fault.abort()
                .ifPresent(abort -> out.setAbort(FaultAbort.newBuilder()
                        .setHttpStatus(abort.status())
                        .setPercentage(RouteActionCodec.share(abort.partsPerMillion()))));
        return out.build();
    }

    @Override
    public FaultInjection decode(ByteString message) throws InvalidProtocolBufferException {
        HTTPFault fault = HTTPFault.parseFrom(message);
        return new FaultInjection(
                fault.hasDelay()
                        ? Optional.of(new FaultInjection.Delay(
                                Durations.decode(fault.getDelay().getFixedDelay()),
                                RouteActionCodec.share(fault.getDelay().getPercentage())))
                        : Optional.empty(),
                fault.hasAbort()
                        ? Optional.of(new FaultInjection.Abort(
                                fault.getAbort().getHttpStatus(),
                                RouteActionCodec.share(fault.getAbort().getPercentage())))
                        : Optional.empty());
    }
}
