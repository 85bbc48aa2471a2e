package dev.tulle.proxy.identity;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.proxy.transport.Issuers;
import dev.tulle.proxy.transport.TlsContexts;
import dev.tulle.proxy.transport.TlsTrust;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;

/**
 * With what connections are made and taken under one identity, as long as its certificate and the roots are the same: TLS
 * 1.3 alone, HTTP/2 by ALPN, the other end verified. Sessions are resumed within this alone. Whoever made a handler may use
 * it longer than this is in force. Thread-safe.
 */
public final class Credentials {
    private static final List<String> HTTP2 = List.of("h2");

    private final SpiffeId identity;
    private final X509Certificate certificate;
    private final SslContext client;
    private final SslContext server;

    private Credentials(SpiffeId identity, X509Certificate certificate, SslContext client, SslContext server) {
        this.identity = identity;
        this.certificate = certificate;
        this.client = client;
        this.server = server;
    }

    /**
     * Of a certificate.
     *
     * @param roots whose peers are believed
     * @throws SSLException when the library refuses it
     */
    static Credentials of(SpiffeId identity, TlsIdentity certificate, Issuers roots, InstantSource clock)
            throws SSLException {
        TlsTrust peers = new TlsTrust.By(new SvidVerifier(identity.trustDomain(), roots, clock));
        SslContext client = TlsContexts.meshClient(certificate, peers, HTTP2);
        return new Credentials(
                identity, certificate.certificate(), client, TlsContexts.meshServer(certificate, peers, HTTP2));
    }

    /** Whose they are. */
    public SpiffeId identity() {
        return identity;
    }

    /** The certificate. */
    public X509Certificate certificate() {
        return certificate;
    }

    /**
     * TLS for a connection to a node.
     *
     * @param node sessions are kept by its address
     */
    public SslHandler client(ByteBufAllocator allocator, InetSocketAddress node) {
        SslHandler made = client.newHandler(allocator, node.getAddress().getHostAddress(), node.getPort());
        SSLParameters parameters = made.engine().getSSLParameters();
        // A node is asked for by no name: it shows who it is, and whoever connects knows who it should be.
        parameters.setServerNames(List.of());
        made.engine().setSSLParameters(parameters);
        return made;
    }

    /** TLS for a connection that was taken. */
    public SslHandler server(ByteBufAllocator allocator) {
        return server.newHandler(allocator);
    }

    /**
     * Keeps it usable until {@link #release}, also when another takes its place meanwhile.
     *
     * @return false when another has just done so
     */
    public boolean hold() {
        try {
            ReferenceCountUtil.retain(client);
        } catch (IllegalReferenceCountException e) {
            return false;
        }
        // Both are given up together, the client's first.
        ReferenceCountUtil.retain(server);
        return true;
    }

    /** Ends a hold. */
    public void release() {
        ReferenceCountUtil.release(client);
        ReferenceCountUtil.release(server);
    }
}
