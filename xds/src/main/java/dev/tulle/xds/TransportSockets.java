package dev.tulle.xds;

import static dev.tulle.xds.TlsFields.expect;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.model.UpstreamTls;
import dev.tulle.xds.proto.envoy.config.core.v3.ProxyProtocolConfig;
import dev.tulle.xds.proto.envoy.config.core.v3.TransportSocket;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport;
import java.util.List;
import java.util.Optional;

/** What connections to the endpoints of a cluster begin with, as Envoy's transport sockets, one within the other. */
final class TransportSockets {
    private static final String TYPES = "type.googleapis.com/envoy.extensions.transport_sockets.";
    private static final String PROXY_URL = TYPES + "proxy_protocol.v3.ProxyProtocolUpstreamTransport";
    private static final String RAW_URL = TYPES + "raw_buffer.v3.RawBuffer";

    private static final TransportSocket RAW = TransportSocket.newBuilder()
            .setName("envoy.transport_sockets.raw_buffer")
            .setTypedConfig(Any.newBuilder().setTypeUrl(RAW_URL))
            .build();

    private TransportSockets() {}

    /** What is read of one. */
    record Decoded(ProxyProtocol proxyProtocol, Optional<UpstreamTls> tls) {}

    static Optional<TransportSocket> encode(Cluster cluster, List<String> offered) {
        Optional<TransportSocket> tls = cluster.tls().map(settings -> UpstreamTlsCodec.encode(settings, offered));
        if (cluster.proxyProtocol() == ProxyProtocol.NONE) {
            return tls;
        }
        ProxyProtocolConfig.Version version = cluster.proxyProtocol() == ProxyProtocol.V1
                ? ProxyProtocolConfig.Version.V1
                : ProxyProtocolConfig.Version.V2;
        return Optional.of(TransportSocket.newBuilder()
                .setName("envoy.transport_sockets.upstream_proxy_protocol")
                .setTypedConfig(ResourceCodec.any(
                        PROXY_URL,
                        ProxyProtocolUpstreamTransport.newBuilder()
                                .setConfig(ProxyProtocolConfig.newBuilder().setVersion(version))
                                .setTransportSocket(tls.orElse(RAW))
                                .build()))
                .build());
    }

    static Decoded decode(TransportSocket socket, List<String> offered) {
        if (!socket.getTypedConfig().getTypeUrl().equals(PROXY_URL)) {
            return new Decoded(ProxyProtocol.NONE, Optional.of(UpstreamTlsCodec.decode(socket, offered)));
        }
        ProxyProtocolUpstreamTransport outer;
        try {
            outer = ProxyProtocolUpstreamTransport.parseFrom(
                    socket.getTypedConfig().getValue());
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException("transport_socket: " + e.getMessage(), e);
        }
        ProxyProtocolConfig.Version version = outer.getConfig().getVersion();
        expect(
                version == ProxyProtocolConfig.Version.V1 || version == ProxyProtocolConfig.Version.V2,
                "config.version " + outer.getConfig().getVersionValue(),
                "V1 or V2");
        TransportSocket inner = outer.getTransportSocket();
        return new Decoded(
                version == ProxyProtocolConfig.Version.V1 ? ProxyProtocol.V1 : ProxyProtocol.V2,
                inner.getTypedConfig().getTypeUrl().equals(RAW_URL)
                        ? Optional.empty()
                        : Optional.of(UpstreamTlsCodec.decode(inner, offered)));
    }
}
