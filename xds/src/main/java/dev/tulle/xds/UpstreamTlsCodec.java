package dev.tulle.xds;

import static dev.tulle.xds.TlsFields.expect;
import static dev.tulle.xds.TlsFields.file;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.tulle.model.UpstreamTls;
import dev.tulle.xds.proto.envoy.config.core.v3.TransportSocket;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher.SanType;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsParameters;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsParameters.TlsProtocol;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import dev.tulle.xds.proto.envoy.type.matcher.v3.StringMatcher;
import java.util.ArrayList;
import java.util.List;

/** {@link UpstreamTls} as Envoy's transport socket of a cluster, with files by their names. */
final class UpstreamTlsCodec {
    private static final String URL =
            "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

    private UpstreamTlsCodec() {}

    static TransportSocket encode(UpstreamTls tls, List<String> offered) {
        CommonTlsContext.Builder common = CommonTlsContext.newBuilder()
                .setTlsParams(TlsParameters.newBuilder()
                        .setTlsMinimumProtocolVersion(TlsProtocol.TLSv1_2)
                        .setTlsMaximumProtocolVersion(TlsProtocol.TLSv1_3))
                .addAllAlpnProtocols(offered);
        if (!tls.certificate().isEmpty()) {
            common.addTlsCertificates(TlsCertificate.newBuilder()
                    .setCertificateChain(file(tls.certificate()))
                    .setPrivateKey(file(tls.key())));
        }
        CertificateValidationContext.Builder validation = CertificateValidationContext.newBuilder();
        if (!tls.authorities().isEmpty()) {
            validation.setTrustedCa(file(tls.authorities()));
        }
        for (String name : tls.names()) {
            validation.addMatchTypedSubjectAltNames(SubjectAltNameMatcher.newBuilder()
                    .setSanType(kind(name))
                    .setMatcher(StringMatcher.newBuilder().setExact(name)));
        }
        return TransportSocket.newBuilder()
                .setName(TlsFields.NAME)
                .setTypedConfig(ResourceCodec.any(
                        URL,
                        UpstreamTlsContext.newBuilder()
                                .setCommonTlsContext(common.setValidationContext(validation))
                                .setSni(tls.serverName())
                                .build()))
                .build();
    }

    static UpstreamTls decode(TransportSocket socket, List<String> offered) {
        Any any = socket.getTypedConfig();
        expect(any.getTypeUrl().equals(URL), "typed_config of type " + any.getTypeUrl(), "UpstreamTlsContext");
        UpstreamTlsContext context;
        try {
            context = UpstreamTlsContext.parseFrom(any.getValue());
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException("transport_socket: " + e.getMessage(), e);
        }
        CommonTlsContext common = context.getCommonTlsContext();
        TlsParameters versions = common.getTlsParams();
        TlsProtocol from = versions.getTlsMinimumProtocolVersion();
        TlsProtocol to = versions.getTlsMaximumProtocolVersion();
        expect(
                from == TlsProtocol.TLSv1_2 || from == TlsProtocol.TLS_AUTO,
                "tls_minimum_protocol_version " + versions.getTlsMinimumProtocolVersionValue(),
                "TLSv1_2");
        expect(
                to == TlsProtocol.TLSv1_3,
                "tls_maximum_protocol_version " + versions.getTlsMaximumProtocolVersionValue(),
                "TLSv1_3");
        List<String> alpn = common.getAlpnProtocolsList();
        // Without any, Envoy offers what it is going to speak.
        expect(
                alpn.isEmpty() || alpn.equals(offered),
                "alpn_protocols " + alpn,
                offered.isEmpty() ? "none" : "none or " + offered);
        expect(common.getTlsCertificatesCount() <= 1, "more than one of tls_certificates", "one");
        String certificate = "";
        String key = "";
        if (common.getTlsCertificatesCount() == 1) {
            certificate = file("certificate_chain", common.getTlsCertificates(0).getCertificateChain());
            key = file("private_key", common.getTlsCertificates(0).getPrivateKey());
        }
        CertificateValidationContext validation = common.getValidationContext();
        String authorities = validation.hasTrustedCa() ? file("trusted_ca", validation.getTrustedCa()) : "";
        List<String> names = new ArrayList<>();
        for (SubjectAltNameMatcher matcher : validation.getMatchTypedSubjectAltNamesList()) {
            String name = matcher.getMatcher().getExact();
            expect(
                    !name.isEmpty() && matcher.getSanType() == kind(name),
                    "match_typed_subject_alt_names of type " + matcher.getSanTypeValue() + " '" + name + "'",
                    "an exact name of its type");
            names.add(name);
        }
        return new UpstreamTls(context.getSni(), certificate, key, authorities, names);
    }

    private static SanType kind(String name) {
        return switch (UpstreamTls.kindOf(name)) {
            case DNS -> SanType.DNS;
            case URI -> SanType.URI;
            case EMAIL -> SanType.EMAIL;
            case ADDRESS -> SanType.IP_ADDRESS;
        };
    }
}
