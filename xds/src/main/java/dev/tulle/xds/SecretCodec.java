package dev.tulle.xds;

import com.google.protobuf.ByteString;
import dev.tulle.model.Secret;
import dev.tulle.model.Secret.IdentityCertificate;
import dev.tulle.model.Secret.TrustedRoots;
import dev.tulle.xds.proto.envoy.config.core.v3.DataSource;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.TlsCertificate;

/** {@link Secret} as Envoy's, with what it holds inside. No message of an error has a part of it. */
final class SecretCodec {
    private SecretCodec() {}

    static dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.Secret encode(Secret secret) {
        var made = dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.Secret.newBuilder()
                .setName(secret.name());
        return switch (secret) {
            case IdentityCertificate certificate ->
                made.setTlsCertificate(TlsCertificate.newBuilder()
                                .setCertificateChain(inline(certificate.chain()))
                                .setPrivateKey(inline(certificate.key())))
                        .build();
            case TrustedRoots roots ->
                made.setValidationContext(
                                CertificateValidationContext.newBuilder().setTrustedCa(inline(roots.certificates())))
                        .build();
        };
    }

    static Secret decode(dev.tulle.xds.proto.envoy.extensions.transport_sockets.tls.v3.Secret secret)
            throws InvalidResourceException {
        String name = secret.getName();
        if (name.isEmpty()) {
            throw new InvalidResourceException("a secret without a name");
        }
        return switch (secret.getTypeCase()) {
            case TLS_CERTIFICATE -> {
                TlsCertificate certificate = secret.getTlsCertificate();
                yield new IdentityCertificate(
                        name,
                        text("tls_certificate.certificate_chain", certificate.getCertificateChain()),
                        text("tls_certificate.private_key", certificate.getPrivateKey()));
            }
            case VALIDATION_CONTEXT -> {
                CertificateValidationContext context = secret.getValidationContext();
                if (context.getMatchTypedSubjectAltNamesCount() > 0) {
                    throw new InvalidResourceException(
                            "validation_context.match_typed_subject_alt_names: expected none, a peer's name is asked for"
                                    + " by whoever connects to it");
                }
                yield new TrustedRoots(name, text("validation_context.trusted_ca", context.getTrustedCa()));
            }
            case TYPE_NOT_SET ->
                throw new InvalidResourceException(
                        "a secret with nothing in it: expected tls_certificate or validation_context");
        };
    }

    private static DataSource inline(String text) {
        return DataSource.newBuilder()
                .setInlineBytes(ByteString.copyFromUtf8(text))
                .build();
    }

    private static String text(String field, DataSource source) throws InvalidResourceException {
        String text =
                switch (source.getSpecifierCase()) {
                    case INLINE_BYTES -> source.getInlineBytes().toStringUtf8();
                    case INLINE_STRING -> source.getInlineString();
                    case FILENAME, SPECIFIER_NOT_SET -> "";
                };
        if (text.isEmpty()) {
            throw new InvalidResourceException(field + ": expected inline_bytes or inline_string");
        }
        return text;
    }
}
