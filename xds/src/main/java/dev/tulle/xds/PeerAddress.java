package dev.tulle.xds;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.net.SocketAddress;

/** Lets a service ask for the address of the client that calls it. */
final class PeerAddress implements ServerInterceptor {
    private static final Context.Key<String> PEER = Context.keyWithDefault("tulle-peer", "unknown");

    /** The client's address; to be asked when the call starts. */
    static String current() {
        return PEER.get();
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        SocketAddress address = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
        String text = address == null ? "unknown" : address.toString().replaceFirst("^/", "");
        return Contexts.interceptCall(Context.current().withValue(PEER, text), call, headers, next);
    }
}
