package dev.tulle.proxy.transport;

import dev.tulle.common.pki.TlsIdentity;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.OpenSslContextOption;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.util.List;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Makes what connections are made and taken with: TLS 1.2 with authenticated encryption only, and 1.3, on BoringSSL, or on
 * the JDK where that cannot be loaded. A context has its own cache of sessions: nothing is resumed beyond one identity.
 */
public final class TlsContexts {
    private static final System.Logger LOG = System.getLogger(TlsContexts.class.getName());

    private static final List<String> PROTOCOLS = List.of("TLSv1.3", "TLSv1.2");

    private static final List<String> CIPHERS = List.of(
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");

    /** What cannot be recorded now and deciphered by a later computer comes first. */
    private static final String[] GROUPS = {"X25519MLKEM768", "X25519", "P-256", "P-384"};

    private static final boolean NATIVE = isNative();

    private TlsContexts() {}

    private static boolean isNative() {
        if (OpenSsl.isAvailable()) {
            return true;
        }
        Throwable cause = OpenSsl.unavailabilityCause();
        LOG.log(
                System.Logger.Level.WARNING,
                "TLS is the JDK's, which takes more processor time and has no X25519MLKEM768 before version 27: the"
                        + " native library cannot be loaded: " + cause);
        return false;
    }

    /**
     * For connections that are made.
     *
     * @param identity what to show a server that asks; null for nothing
     * @param offered protocols for ALPN, best first; empty for no ALPN
     * @throws SSLException when the library refuses it
     */
    public static SslContext client(@Nullable TlsIdentity identity, TlsTrust trust, List<String> offered)
            throws SSLException {
        SslContextBuilder builder = SslContextBuilder.forClient();
        if (identity != null) {
            builder.keyManager(identity.key(), identity.chain());
        }
        // Names are the verifier's: Netty would compare the certificate with the address that is dialled.
        return finish(builder.endpointIdentificationAlgorithm(null), trust, offered);
    }

    /**
     * For connections that are taken.
     *
     * @param clients what a client's certificate must be; null to ask for none
     * @param offered protocols for ALPN, best first; empty for no ALPN
     * @throws SSLException when the library refuses it
     */
    public static SslContext server(TlsIdentity identity, @Nullable TlsTrust clients, List<String> offered)
            throws SSLException {
        SslContextBuilder builder = SslContextBuilder.forServer(identity.key(), identity.chain())
                .clientAuth(clients == null ? ClientAuth.NONE : ClientAuth.REQUIRE);
        return finish(builder, clients == null ? new TlsTrust.Anyone() : clients, offered);
    }

    /** As above, for TLS 1.3 alone. */
    public static SslContext newestServer(TlsIdentity identity, @Nullable TlsTrust clients, List<String> offered)
            throws SSLException {
        SslContextBuilder builder = SslContextBuilder.forServer(identity.key(), identity.chain())
                .clientAuth(clients == null ? ClientAuth.NONE : ClientAuth.REQUIRE);
        return finish(builder, clients == null ? new TlsTrust.Anyone() : clients, offered, PROTOCOLS.subList(0, 1));
    }

    /**
     * For the mesh's own connections: TLS 1.3 alone, and with AES-GCM where the library can be told so.
     *
     * @throws SSLException when the library refuses it
     */
    public static SslContext meshClient(TlsIdentity identity, TlsTrust servers, List<String> offered)
            throws SSLException {
        SslContextBuilder builder = SslContextBuilder.forClient()
                .keyManager(identity.key(), identity.chain())
                .endpointIdentificationAlgorithm(null);
        return finish(builder, servers, offered, PROTOCOLS.subList(0, 1));
    }

    /** The other end of it. */
    public static SslContext meshServer(TlsIdentity identity, TlsTrust clients, List<String> offered)
            throws SSLException {
        return newestServer(identity, clients, offered);
    }

    private static SslContext finish(SslContextBuilder builder, TlsTrust trust, List<String> offered)
            throws SSLException {
        return finish(builder, trust, offered, PROTOCOLS);
    }

    private static SslContext finish(
            SslContextBuilder builder, TlsTrust trust, List<String> offered, List<String> versions)
            throws SSLException {
        switch (trust) {
            case TlsTrust.Anyone _ -> builder.trustManager(InsecureTrustManagerFactory.INSTANCE);
            case TlsTrust.By(var verifier) -> builder.trustManager(verifier);
            case TlsTrust.Issued issued -> builder.trustManager(new PeerVerifier(issued));
        }
        if (!offered.isEmpty()) {
            builder.applicationProtocolConfig(new ApplicationProtocolConfig(
                    ApplicationProtocolConfig.Protocol.ALPN,
                    ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                    ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                    offered));
        }
        if (NATIVE) {
            builder.option(OpenSslContextOption.GROUPS, GROUPS);
        }
        return builder.sslProvider(NATIVE ? SslProvider.OPENSSL_REFCNT : SslProvider.JDK)
                .protocols(versions)
                .ciphers(CIPHERS)
                .build();
    }
}
