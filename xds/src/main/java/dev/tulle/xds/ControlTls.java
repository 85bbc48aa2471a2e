package dev.tulle.xds;

import dev.tulle.common.pki.MeshTrust;
import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.model.Caller;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.Predicate;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;

/**
 * TLS between nodes and control plane: 1.3 only, both sides known by the SPIFFE identity in their certificate, never by a
 * host name.
 */
final class ControlTls {
    /** What is named in the HTTP/2 requests; means nothing. */
    static final String AUTHORITY = "control";

    private static final String VERSION = "TLSv1.3";

    private ControlTls() {}

    /** For one connection of a node. */
    static SslContext client(NodeTls tls) {
        TlsIdentity self = tls.identity();
        return made(
                SslContextBuilder.forClient()
                        .keyManager(self.key(), self.chain().toArray(new X509Certificate[0])),
                trust(tls, SpiffeId.control(Caller.TRUST_DOMAIN)::equals));
    }

    /** For a node that has no certificate yet and knows one root. */
    static SslContext stranger(TrustManager trust) {
        return made(SslContextBuilder.forClient(), trust);
    }

    /** For the control plane, whose own certificate and whose roots may change meanwhile. */
    static SslContext server(NodeTls tls) {
        return made(
                SslContextBuilder.forServer(new CurrentKey(tls)).clientAuth(ClientAuth.OPTIONAL),
                trust(
                        tls,
                        id -> id.trustDomain().equals(Caller.TRUST_DOMAIN)
                                && id.node().isPresent()));
    }

    private static MeshTrust trust(NodeTls tls, Predicate<SpiffeId> expected) {
        return new MeshTrust(tls::roots, expected);
    }

    private static SslContext made(SslContextBuilder builder, TrustManager trust) {
        try {
            return GrpcSslContexts.configure(builder.trustManager(trust), SslProvider.JDK)
                    .protocols(List.of(VERSION))
                    .build();
        } catch (SSLException e) {
            throw new IllegalStateException("TLS of this JDK cannot be used: " + e.getMessage(), e);
        }
    }
}
