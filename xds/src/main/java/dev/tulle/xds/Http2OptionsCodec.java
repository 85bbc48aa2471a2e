package dev.tulle.xds;

import com.google.protobuf.UInt32Value;
import dev.tulle.model.Http2Options;
import dev.tulle.xds.proto.envoy.config.core.v3.Http2ProtocolOptions;
import dev.tulle.xds.proto.envoy.config.core.v3.KeepaliveSettings;
import java.time.Duration;

/** {@link Http2Options} as Envoy's Http2ProtocolOptions. */
final class Http2OptionsCodec {
    private Http2OptionsCodec() {}

    static Http2ProtocolOptions encode(Http2Options options) {
        Http2ProtocolOptions.Builder out = Http2ProtocolOptions.newBuilder();
        if (options.maxStreams() > 0) {
            out.setMaxConcurrentStreams(UInt32Value.of(options.maxStreams()));
        }
        if (!options.pingInterval().isZero()) {
            out.setConnectionKeepalive(KeepaliveSettings.newBuilder()
                    .setInterval(Durations.encode(options.pingInterval()))
                    .setTimeout(Durations.encode(options.pingTimeout())));
        }
        return out.build();
    }

    static Http2Options decode(Http2ProtocolOptions options) {
        int streams = options.getMaxConcurrentStreams().getValue();
        if (options.hasMaxConcurrentStreams() && streams == 0) {
            throw new IllegalArgumentException("http2_protocol_options.max_concurrent_streams 0: expected 1 or more");
        }
        KeepaliveSettings alive = options.getConnectionKeepalive();
        Duration interval = Durations.decode(alive.getInterval());
        Duration timeout = Durations.decode(alive.getTimeout());
        if (options.hasConnectionKeepalive() && (interval.isZero() || timeout.isZero())) {
            throw new IllegalArgumentException(
                    "http2_protocol_options.connection_keepalive: expected an interval and a timeout");
        }
        // Beyond what an int holds, as good as none.
        return new Http2Options(Math.max(streams, 0), interval, timeout);
    }
}
