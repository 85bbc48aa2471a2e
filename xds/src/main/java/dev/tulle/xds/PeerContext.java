package dev.tulle.xds;

import dev.tulle.common.pki.SpiffeId;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.net.SocketAddress;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** Lets a service ask who calls it. */
final class PeerContext implements ServerInterceptor {
    /** A call that did not come over a connection. */
    private static final Peer UNKNOWN = new Peer.LocalProcess(-1, 0);

    private static final Context.Key<Peer> PEER = Context.keyWithDefault("tulle-peer", UNKNOWN);

    /** The caller; to be asked when the call starts. */
    static Peer current() {
        return PEER.get();
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        return Contexts.interceptCall(Context.current().withValue(PEER, peer(call)), call, headers, next);
    }

    private static Peer peer(ServerCall<?, ?> call) {
        Peer known = call.getAttributes().get(Peer.KEY);
        SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
        SocketAddress from = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
        if (known != null || session == null) {
            return known == null ? UNKNOWN : known;
        }
        try {
            // Believed in the handshake.
            SpiffeId id = SpiffeId.of((X509Certificate) session.getPeerCertificates()[0]);
            return id.node()
                    .<Peer>map(node -> new Peer.Node(node, id.isProxy(), String.valueOf(from)))
                    .orElse(new Peer.Stranger(String.valueOf(from)));
        } catch (SSLPeerUnverifiedException | CertificateException e) {
            return new Peer.Stranger(String.valueOf(from));
        }
    }
}
