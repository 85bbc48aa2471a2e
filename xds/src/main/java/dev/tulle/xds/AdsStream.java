package dev.tulle.xds;

import dev.tulle.common.OwnerThread;
import dev.tulle.common.VisibleText;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Function;

/**
 * Binds one gRPC stream to its session. gRPC calls in on the event loop; everything else happens on the owner thread. The
 * next request is read when the last one has been handled, so that no client can fill the owner's mailbox.
 *
 * @param <Q> the request message
 * @param <P> the response message
 */
final class AdsStream<Q, P> implements StreamObserver<Received<Q>>, ResponseOutput<P> {
    /** What the server wants to know of its streams; called on the owner thread. */
    interface Host {
        /** A stream is about to begin, on the event loop; why it may not, or empty. */
        Optional<String> admits(Peer peer);

        /** A stream was refused or ended because it asked for too much. */
        void overLimit(Peer peer, String reason);

        /** A stream has begun; answers what is current. */
        ResourceSnapshot opened(AdsStream<?, ?> stream);

        /** Whether one with the certificate of this node is still a node of the mesh. */
        boolean isNode(String name);

        /** A client may have caught up. */
        void progressed();

        /** A response is about to be sent. */
        void sending(String typeUrl, Object response);

        /**
         * The stream has ended.
         *
         * @param left true when the client ended it in order: it enforces nothing any more
         */
        void closed(AdsStream<?, ?> stream, boolean left);
    }

    /** Characters of what a client says of itself that an answer repeats. */
    private static final int SHOWN = 253;

    private final OwnerThread owner;
    private final Host host;
    private final ServerCallStreamObserver<P> call;
    private final ClientSession<Q> session;
    private final Peer peer = PeerContext.current();
    private final Instant since = Instant.now();
    private boolean closed;

    private AdsStream(
            OwnerThread owner,
            Host host,
            ServerCallStreamObserver<P> call,
            Function<ResponseOutput<P>, ClientSession<Q>> makeSession) {
        this.owner = owner;
        this.host = host;
        this.call = call;
        this.session = makeSession.apply(this);
    }

    /** Takes over a stream that a client has just opened; on the event loop. */
    static <Q, P> StreamObserver<Received<Q>> open(
            OwnerThread owner,
            Host host,
            StreamObserver<P> responses,
            Function<ResponseOutput<P>, ClientSession<Q>> makeSession) {
        ServerCallStreamObserver<P> call = (ServerCallStreamObserver<P>) responses;
        Optional<String> refusal = host.admits(PeerContext.current());
        if (refusal.isPresent()) {
            host.overLimit(PeerContext.current(), refusal.get());
            call.onError(
                    Status.RESOURCE_EXHAUSTED.withDescription(refusal.get()).asRuntimeException());
            return new Nobody<>();
        }
        AdsStream<Q, P> stream = new AdsStream<>(owner, host, call, makeSession);
        call.disableAutoRequest();
        call.setOnReadyHandler(() -> owner.offer(stream::push));
        call.setOnCancelHandler(() -> owner.offer(stream::gone));
        owner.execute(() -> {
            stream.session.update(host.opened(stream));
            call.request(1);
        });
        return stream;
    }

    Peer peer() {
        return peer;
    }

    /** Ends it: the client is expected back by nobody. */
    void refuse(String reason) {
        if (!closed) {
            call.onError(Status.PERMISSION_DENIED.withDescription(reason).asRuntimeException());
            ended(true);
        }
    }

    ClientSession<Q> session() {
        return session;
    }

    XdsClientState state() {
        return session.state(peer.toString(), since);
    }

    @Override
    public void onNext(Received<Q> received) {
        owner.execute(() -> {
            if (closed) {
                return;
            }
            Status trouble =
                    switch (received) {
                        case Received.Message<Q>(Q request) -> taken(request);
                        case Received.Unusable<Q>(Status why) -> why;
                    };
            if (!trouble.isOk()) {
                if (trouble.getCode() == Status.Code.RESOURCE_EXHAUSTED) {
                    host.overLimit(peer, String.valueOf(trouble.getDescription()));
                }
                call.onError(trouble.asRuntimeException());
                gone();
                return;
            }
            host.progressed();
            call.request(1);
        });
    }

    /**
     * Gives the session a request; what is wrong with it, or OK. Whoever may not ask is not known to the session: that
     * answers at once.
     */
    private Status taken(Q request) {
        String node = saidNode(request);
        boolean joined = !(peer instanceof Peer.Node from) || host.isNode(from.name());
        if (!joined || !(node.isEmpty() || peer.speaksFor(node))) {
            return Status.PERMISSION_DENIED.withDescription(peer + " says it is of node "
                    + VisibleText.line(node, SHOWN) + ", expected its own, which has joined");
        }
        try {
            session.onRequest(request);
            return Status.OK;
        } catch (StreamLimits.OverLimitException e) {
            return Status.RESOURCE_EXHAUSTED.withDescription(e.getMessage());
        } catch (IllegalArgumentException e) {
            return Status.INVALID_ARGUMENT.withDescription(e.getMessage());
        }
    }

    /** The node that a request says its client is of; empty where it says none. */
    private static String saidNode(Object request) {
        return switch (request) {
            case DeltaDiscoveryRequest delta -> delta.getNode().getId();
            case DiscoveryRequest whole -> whole.getNode().getId();
            default -> "";
        };
    }

    /** What a refused stream still sends. */
    private static final class Nobody<Q> implements StreamObserver<Q> {
        @Override
        public void onNext(Q request) {}

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {}
    }

    @Override
    public void onError(Throwable failure) {
        owner.offer(this::gone);
    }

    @Override
    public void onCompleted() {
        owner.offer(() -> {
            if (!closed) {
                ended(true);
                call.onCompleted();
            }
        });
    }

    private void push() {
        if (!closed) {
            session.push();
            host.progressed();
        }
    }

    private void gone() {
        ended(false);
    }

    private void ended(boolean left) {
        if (!closed) {
            closed = true;
            host.closed(this, left);
        }
    }

    @Override
    public boolean isReady() {
        return !closed && call.isReady();
    }

    @Override
    public void send(String typeUrl, P response) {
        host.sending(typeUrl, response);
        call.onNext(response);
    }
}
