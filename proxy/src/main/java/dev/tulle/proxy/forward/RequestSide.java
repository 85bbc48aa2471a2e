package dev.tulle.proxy.forward;

import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.body.BodyPipe;
import dev.tulle.proxy.body.BrokenBodyException;
import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.Sender;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import dev.tulle.telemetry.Counter;
import io.netty.buffer.ByteBuf;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The request of one exchange as it goes to its endpoint, past the filters and as often as it is tried. Loop-confined. */
final class RequestSide implements ForwardedRequest {
    private final Worker worker;
    private final RequestHead received;
    private final Routing routing;
    private final FilterChain filters;
    private final Peer peer;
    private final ReplayBuffer replay = new ReplayBuffer();
    private final Counter lostMirrors;
    private final Consumer<BrokenBodyException> broken;
    private RequestHead head;
    private List<MirrorRequest> mirrors = List.of();
    private byte[] trailers = Trailers.NONE;
    private boolean complete;
    /** Bytes of the body that went on, at this try or, kept, at those before. */
    private long sent;

    private boolean unproven;

    /**
     * Of a request.
     *
     * @param broken called when the body cannot be changed as the filters want it
     */
    RequestSide(Parts parts, Consumer<BrokenBodyException> broken) {
        this.broken = broken;
        this.worker = parts.scope().upstreams().worker();
        this.lostMirrors = parts.scope().lostMirrors();
        this.received = parts.head();
        this.head = received;
        this.routing = parts.routing();
        this.filters = parts.filters();
        this.peer = parts.client().peer();
    }

    /** A request begins. */
    void reset() {
        head = received;
        trailers = Trailers.NONE;
        complete = false;
        unproven = false;
        sent = 0;
    }

    /** The head was read; without a body the request is complete. */
    void headRead() {
        complete = !received.hasBody();
    }

    /** True when the whole request was received. */
    boolean isComplete() {
        return complete;
    }

    /** True when the request can be sent again from its first byte. */
    boolean isRepeatable() {
        return replay.isWhole();
    }

    /** The client gets the server's answer: the request is not sent again, and nothing of it is kept. */
    void answered() {
        replay.lost();
    }

    /**
     * The request is for an endpoint of this plan, as its filters have it sent.
     *
     * @return false when it cannot be sent so: its head would be too large
     */
    boolean begin(ForwardPlan plan, RouteDecision decided) {
        RequestHead changed = filters.sent(received, worker.allocator());
        if (changed == null) {
            return false;
        }
        head = changed;
        WorkerCluster to = plan.cluster();
        // A server of HTTP/2 may go away and say what it has not read: that is sent again, whatever the policy.
        boolean maySayUnread = to != null && to.speaksHttp2(head.isHttp2());
        replay.begin(worker.allocator(), maySayUnread || plan.retriesResponses());
        if (!decided.mirrors().isEmpty()) {
            mirrors = MirrorRequest.beginAll(worker, lostMirrors, decided, plan, head, routing, peer);
            if (complete) {
                mirrors.forEach(mirror -> mirror.end(trailers));
            }
        }
        return true;
    }

    /**
     * The request was sent by somebody else, who has kept its head only.
     *
     * @param bodySent bytes of its body that were sent
     * @param more true when others are still to be read from the client
     * @param doubtful true when some of these may not be there yet: the connection must not carry another request
     */
    void sent(long bodySent, boolean more, boolean doubtful) {
        complete = !more;
        unproven = doubtful;
        replay.begin(worker.allocator(), false);
        if (bodySent > 0) {
            replay.lost();
        }
    }

    /** Forgets what was kept. */
    void over() {
        replay.clear();
        if (!mirrors.isEmpty()) {
            mirrors.forEach(MirrorRequest::over);
            mirrors = List.of();
        }
    }

    @Override
    public RequestHead head() {
        return head;
    }

    @Override
    public @Nullable String path() {
        return routing.path();
    }

    @Override
    public @Nullable String authority() {
        return routing.authority();
    }

    @Override
    public HeaderProgram changes() {
        ForwardPlan plan = routing.plan();
        return plan == null ? HeaderProgram.NONE : plan.requestHeaders();
    }

    @Override
    public Sender sender() {
        return peer;
    }

    /** Sends what was received so far. */
    void send(UpstreamStream to, UpstreamUser user) {
        to.send(user, this);
        ByteBuf kept = replay.copy();
        if (kept != null) {
            to.data(kept);
        }
        if (complete) {
            to.end(trailers);
        } else {
            passOn(to);
        }
    }

    /** True when a further piece of the body can be taken: what stands in the place of the one before has gone on. */
    boolean takesBody() {
        BodyPipe changed = filters.requestBody();
        return changed == null || changed.isEmpty();
    }

    /** Sends a further piece of the body, or what the filters put in its place. */
    void data(UpstreamStream to, ByteBuf data) {
        BodyPipe changed = filters.requestBody();
        if (changed == null) {
            pass(to, data);
        } else {
            changed.take(data);
            passOn(to);
        }
    }

    /** Sends what stands in the place of the body, as far as the endpoint takes it. */
    void passOn(UpstreamStream to) {
        BodyPipe changed = filters.requestBody();
        if (changed == null || complete) {
            return;
        }
        try {
            while (to.isWritable()) {
                ByteBuf piece = changed.next();
                if (piece == null) {
                    if (changed.isOver()) {
                        ended(to, changed.trailers());
                    }
                    return;
                }
                pass(to, piece);
            }
        } catch (BrokenBodyException e) {
            broken.accept(e);
        }
    }

    /** Sends a piece, past the filters, and keeps a copy for another try. */
    private void pass(UpstreamStream to, ByteBuf data) {
        filters.requestData(data);
        sent += data.readableBytes();
        replay.add(data);
        for (MirrorRequest mirror : mirrors) {
            mirror.data(data);
        }
        to.data(data);
    }

    /**
     * The body has come to its end.
     *
     * @param lines its trailers
     */
    void end(@Nullable UpstreamStream to, byte[] lines) {
        BodyPipe changed = filters.requestBody();
        if (changed == null) {
            ended(to, lines);
            return;
        }
        changed.end(lines);
        if (to != null) {
            passOn(to);
        }
    }

    /** There is nothing more to send but the end. */
    private void ended(@Nullable UpstreamStream to, byte[] lines) {
        trailers = lines;
        complete = true;
        if (to != null) {
            to.end(trailers);
        }
        mirrors.forEach(mirror -> mirror.end(lines));
    }

    /**
     * False when a server could have taken the body for its next request, because the method has none by custom, or when
     * something of this request may reach it only later.
     */
    boolean leavesClean() {
        // A client of HTTP/2 may say after all of the body, in a frame of its own, that this was it.
        boolean whole = complete || (!head.isChunked() && sent > 0 && sent == head.contentLength());
        return whole && !unproven && !head.hasUnusualBody();
    }
}
