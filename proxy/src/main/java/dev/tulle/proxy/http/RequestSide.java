package dev.tulle.proxy.http;

import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.http1.ChunkedBody;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.telemetry.Counter;
import io.netty.buffer.ByteBuf;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How the request of one exchange goes to its endpoint, as often as it is tried. Loop-confined. */
final class RequestSide {
    private final Worker worker;
    private final RequestHead head;
    private final Routing routing;
    private final Peer peer;
    private final ReplayBuffer replay = new ReplayBuffer();
    private final Counter lostMirrors;
    private List<MirrorRequest> mirrors = List.of();
    private byte[] trailers = ChunkedBody.NO_TRAILERS;
    private boolean complete;
    private boolean unproven;

    RequestSide(HttpScope scope, RequestHead head, Routing routing, Peer peer) {
        this.worker = scope.upstreams().worker();
        this.lostMirrors = scope.lostMirrors();
        this.head = head;
        this.routing = routing;
        this.peer = peer;
    }

    /** A request begins. */
    void reset() {
        trailers = ChunkedBody.NO_TRAILERS;
        complete = false;
        unproven = false;
    }

    /** The head was read; without a body the request is complete. */
    void headRead() {
        complete = !head.hasBody();
    }

    /** True when the whole request was received. */
    boolean isComplete() {
        return complete;
    }

    /** True when the request can be sent again from its first byte. */
    boolean isRepeatable() {
        return replay.isWhole();
    }

    /** The request is for an endpoint of this plan. */
    void begin(ForwardPlan plan, RouteDecision decided) {
        replay.begin(worker.allocator(), plan.retriesResponses());
        if (!decided.mirrors().isEmpty()) {
            mirrors = MirrorRequest.beginAll(worker, lostMirrors, decided, plan, head, routing, peer);
            if (complete) {
                mirrors.forEach(mirror -> mirror.end(trailers));
            }
        }
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
        mirrors.forEach(MirrorRequest::over);
        mirrors = List.of();
    }

    /** Sends what was received so far. */
    void send(UpstreamConnection to, ForwardPlan plan) {
        ByteSink sink = worker.sink();
        HeadWriter.request(
                sink, head, routing.path(), routing.authority(), plan.requestHeaders(), peer, worker.random());
        Outgoing out = to.out();
        out.add(sink, 0);
        ByteBuf kept = replay.copy();
        if (kept != null) {
            write(out, kept);
            if (complete && head.isChunked()) {
                Chunks.end(worker, out, trailers);
            }
        }
    }

    /** Sends a further piece of the body and keeps a copy for another try. */
    void data(UpstreamConnection to, ByteBuf data) {
        replay.add(data);
        for (MirrorRequest mirror : mirrors) {
            mirror.data(data);
        }
        write(to.out(), data);
    }

    /** Sends a piece of what is no request any more. */
    void tunnel(UpstreamConnection to, ByteBuf data) {
        write(to.out(), data);
    }

    private void write(Outgoing out, ByteBuf data) {
        if (head.isChunked()) {
            Chunks.add(worker, out, data);
        } else {
            out.add(data);
        }
    }

    /**
     * The body is complete: there is nothing more to send but its end.
     *
     * @param lines its trailers
     */
    void end(@Nullable UpstreamConnection to, byte[] lines) {
        trailers = lines;
        complete = true;
        if (to != null && head.isChunked()) {
            Chunks.end(worker, to.out(), trailers);
        }
        mirrors.forEach(mirror -> mirror.end(lines));
    }

    /**
     * False when a server could have taken the body for its next request, because the method has none by custom, or when
     * something of this request may reach it only later.
     */
    boolean leavesClean() {
        return complete && !unproven && !head.hasUnusualBody();
    }
}
