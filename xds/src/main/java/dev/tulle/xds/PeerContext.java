package dev.tulle.xds;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/** Lets a service ask for the process that calls it. */
final class PeerContext implements ServerInterceptor {
    private static final Context.Key<Peer> PEER = Context.keyWithDefault("tulle-peer", Peer.UNKNOWN);

    /** The caller; to be asked when the call starts. */
    static Peer current() {
        return PEER.get();
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        Peer peer = call.getAttributes().get(Peer.KEY);
        return Contexts.interceptCall(
                Context.current().withValue(PEER, peer == null ? Peer.UNKNOWN : peer), call, headers, next);
    }
}
