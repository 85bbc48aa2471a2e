package dev.tulle.xds;

import static dev.tulle.xds.TlsFields.expect;
import static dev.tulle.xds.TlsFields.file;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.EdgeTls;
import dev.tulle.xds.proto.envoy.config.core.v3.TransportSocket;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsParameters;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsParameters.TlsProtocol;
import java.util.List;

/** {@link EdgeTls} as Envoy's transport socket of a filter chain, with files by their names. */
final class EdgeTlsCodec {
    private static final String URL =
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

    private EdgeTlsCodec() {}

    static TransportSocket encode(EdgeTls tls) {
        CommonTlsContext.Builder common = CommonTlsContext.newBuilder()
                .setTlsParams(TlsParameters.newBuilder()
                        .setTlsMinimumProtocolVersion(tls.onlyNewest() ? TlsProtocol.TLSv1_3 : TlsProtocol.TLSv1_2)
                        .setTlsMaximumProtocolVersion(TlsProtocol.TLSv1_3))
                .addTlsCertificates(TlsCertificate.newBuilder()
                        .setCertificateChain(file(tls.certificate()))
                        .setPrivateKey(file(tls.key())))
                .addAllAlpnProtocols(tls.offered());
        DownstreamTlsContext.Builder context = DownstreamTlsContext.newBuilder();
        if (!tls.authorities().isEmpty()) {
            common.setValidationContext(
                    CertificateValidationContext.newBuilder().setTrustedCa(file(tls.authorities())));
            context.setRequireClientCertificate(BoolValue.of(true));
        }
        return TransportSocket.newBuilder()
                .setName(TlsFields.NAME)
                .setTypedConfig(ResourceCodec.any(
                        URL, context.setCommonTlsContext(common).build()))
                .build();
    }

    static EdgeTls decode(TransportSocket socket) throws InvalidProtocolBufferException {
        Any any = socket.getTypedConfig();
        expect(any.getTypeUrl().equals(URL), "typed_config of type " + any.getTypeUrl(), "DownstreamTlsContext");
        DownstreamTlsContext context = DownstreamTlsContext.parseFrom(any.getValue());
        CommonTlsContext common = context.getCommonTlsContext();
        TlsProtocol from = common.getTlsParams().getTlsMinimumProtocolVersion();
        TlsProtocol to = common.getTlsParams().getTlsMaximumProtocolVersion();
        expect(
                from == TlsProtocol.TLSv1_2 || from == TlsProtocol.TLSv1_3 || from == TlsProtocol.TLS_AUTO,
                "tls_minimum_protocol_version " + from,
                "TLSv1_2 or TLSv1_3");
        expect(to == TlsProtocol.TLSv1_3, "tls_maximum_protocol_version " + to, "TLSv1_3");
        List<String> alpn = common.getAlpnProtocolsList();
        expect(
                alpn.isEmpty() || alpn.equals(EdgeTls.REQUESTS),
                "alpn_protocols " + alpn,
                "none or " + EdgeTls.REQUESTS);
        expect(common.getTlsCertificatesCount() == 1, common.getTlsCertificatesCount() + " tls_certificates", "one");
        CertificateValidationContext validation = common.getValidationContext();
        boolean asks = context.getRequireClientCertificate().getValue();
        expect(asks == validation.hasTrustedCa(), "require_client_certificate " + asks, "it with trusted_ca alone");
        expect(
                validation.getMatchTypedSubjectAltNamesCount() == 0,
                validation.getMatchTypedSubjectAltNamesCount() + " match_typed_subject_alt_names",
                "none: every caller whose certificate the authorities have issued would pass");
        return new EdgeTls(
                file("certificate_chain", common.getTlsCertificates(0).getCertificateChain()),
                file("private_key", common.getTlsCertificates(0).getPrivateKey()),
                asks ? file("trusted_ca", validation.getTrustedCa()) : "",
                from == TlsProtocol.TLSv1_3,
                alpn);
    }
}
