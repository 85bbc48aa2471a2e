package dev.tulle.proxy.forward;

import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.Verdict;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Sender;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.From;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import dev.tulle.telemetry.Counter;
import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a request; the answer is thrown away. Its body goes on as it
 * comes, whatever its length: never touches the request that it copies, and does not hold it back. A copy whose endpoint
 * cannot keep up is given up and counted. Loop-confined.
 */
final class MirrorRequest implements UpstreamUser, ForwardedRequest {
    /** How long an endpoint may be silent once it has the whole request, or the client while it sends it. */
    private static final long TIMEOUT = TimeUnit.SECONDS.toNanos(15);

    /** Bytes of one copy that may wait for its endpoint. */
    private static final long LIMIT = 1 << 20;

    /** Pieces up to this size are copied where they have to wait, as they may be small parts of large buffers. */
    private static final int SMALL = 16 << 10;

    /** What a piece costs beside its bytes. */
    private static final int PIECE = 256;

    private final Worker worker;
    private final Counter lost;
    private final EndpointPool pool;
    private final RequestHead head;
    private final @Nullable String path;
    private final @Nullable String authority;
    private final HeaderProgram changes;
    private final Peer client;

    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pool.cancel(MirrorRequest.this);
            giveUp();
        }
    };
    /** Pieces of the body that came before there was a connection. */
    private final Deque<ByteBuf> early = new ArrayDeque<>();

    private long waiting;
    private byte @Nullable [] trailers;
    private @Nullable UpstreamStream upstream;
    private boolean over;

    private MirrorRequest(Worker worker, Counter lost, EndpointPool pool, SentRequest sent) {
        this.worker = worker;
        this.lost = lost;
        this.pool = pool;
        this.head = sent.head().copy();
        this.path = sent.routing().path();
        this.authority = sent.routing().authority();
        this.changes = sent.plan().requestHeaders();
        this.client = sent.client();
    }

    /**
     * Begins the copies of a request that its route asks for; their bodies follow.
     *
     * @param lost counts copies that do not arrive whole, or not at all
     */
    static List<MirrorRequest> beginAll(
            Worker worker,
            Counter lost,
            RouteDecision decided,
            ForwardPlan plan,
            RequestHead head,
            Routing routing,
            Peer from) {
        if (head.isUpgrade() || head.isConnect()) {
            return List.of();
        }
        SentRequest sent = new SentRequest(head, routing, plan, from);
        List<MirrorRequest> begun = new ArrayList<>();
        for (RouteAction.Mirror mirror : decided.mirrors()) {
            WorkerCluster target = plan.mirrors().get(mirror.cluster());
            MirrorRequest copy = target == null ? null : begin(worker, lost, target, sent, from);
            if (copy != null) {
                begun.add(copy);
            }
        }
        return begun;
    }

    /** Begins one; null when there is no endpoint, no room, or no permission. */
    private static @Nullable MirrorRequest begin(
            Worker worker, Counter lost, WorkerCluster cluster, SentRequest sent, Peer from) {
        EndpointPool pool = cluster.pick(from.caller(sent.head()), List.of());
        if (pool == null || pool.isOverflowing()) {
            lost.increment();
            return null;
        }
        Verdict verdict = pool.access().request(from.source(), sent);
        if (verdict != null && !verdict.allowed()) {
            pool.access().denied(verdict);
            return null;
        }
        MirrorRequest mirror = new MirrorRequest(worker, lost, pool, sent);
        pool.activeChanged(1);
        mirror.moved();
        if (verdict != null) {
            mirror.acquire();
        } else {
            mirror.waitFor(from.source(), FrozenRequest.of(sent));
        }
        return mirror;
    }

    @Override
    public RequestHead head() {
        return head;
    }

    @Override
    public @Nullable String path() {
        return path;
    }

    @Override
    public @Nullable String authority() {
        return authority;
    }

    @Override
    public HeaderProgram changes() {
        return changes;
    }

    @Override
    public Sender sender() {
        return client;
    }

    /** Sends a copy of a piece of the body, as soon as it can. */
    void data(ByteBuf piece) {
        UpstreamStream to = upstream;
        if (over || !piece.isReadable()) {
            return;
        }
        moved();
        long queued;
        if (to == null) {
            int n = piece.readableBytes();
            early.add(
                    n > SMALL
                            ? piece.retainedDuplicate()
                            : worker.allocator().buffer(n).writeBytes(piece, piece.readerIndex(), n));
            waiting += n + PIECE;
            queued = waiting;
        } else {
            to.data(piece.retainedDuplicate());
            to.flush();
            queued = to.unsent();
        }
        if (queued > LIMIT) {
            pool.cancel(this);
            giveUp();
        }
    }

    /** The body is complete. */
    void end(byte[] lines) {
        trailers = lines;
        UpstreamStream to = upstream;
        if (!over && to != null) {
            to.end(lines);
            to.flush();
        }
    }

    /** The request that it copies is over; without its whole body the copy cannot be. */
    void over() {
        if (!over && trailers == null) {
            pool.cancel(this);
            giveUp();
        }
    }

    private void moved() {
        worker.timers().set(timer, System.nanoTime() + TIMEOUT);
    }

    private void giveUp() {
        if (!over) {
            lost.increment();
            done(true);
        }
    }

    private void acquire() {
        UpstreamStream ready = pool.acquire(this, head.isHttp2(), false);
        if (ready != null) {
            connected(ready);
        }
    }

    /** Goes on when the policies of the endpoint's workload are known and allow it. */
    private void waitFor(WorkloadDirectory.Entry source, FrozenRequest asked) {
        pool.access().whenKnown(source, () -> {
            if (over) {
                return;
            }
            Verdict verdict = pool.access().request(source, asked);
            if (verdict != null && verdict.allowed()) {
                acquire();
            } else {
                if (verdict != null) {
                    pool.access().denied(verdict);
                }
                done(true);
            }
        });
    }

    @Override
    public ProxyHeader.Ends ends() {
        return client.ends();
    }

    @Override
    public From from() {
        return From.of(client.source(), client.ends());
    }

    @Override
    public void connected(UpstreamStream made) {
        if (over) {
            made.abandon();
            return;
        }
        upstream = made;
        made.send(this, this);
        for (ByteBuf piece = early.poll(); piece != null; piece = early.poll()) {
            made.data(piece);
        }
        byte[] lines = trailers;
        if (lines != null) {
            made.end(lines);
        }
        made.flush();
    }

    private void done(boolean abandon) {
        if (over) {
            return;
        }
        over = true;
        worker.timers().remove(timer);
        pool.activeChanged(-1);
        early.forEach(ByteBuf::release);
        early.clear();
        UpstreamStream from = upstream;
        upstream = null;
        if (from != null) {
            if (abandon) {
                from.abandon();
            } else {
                // A server could take an unusual body for its next request, see RequestSide.
                from.finish(trailers != null && !head.hasUnusualBody());
            }
        }
    }

    @Override
    public void connectFailed(String reason) {
        giveUp();
    }

    @Override
    public void interim(ResponseHead head) {
        // Nobody to tell.
    }

    @Override
    public void responseHead(ResponseHead head, int following) {
        // Thrown away.
    }

    @Override
    public void responseData(ByteBuf data) {
        moved();
        data.release();
    }

    @Override
    public void responseEnd() {
        done(false);
    }

    @Override
    public void readComplete() {
        // Nothing to flush.
    }

    @Override
    public void upstreamBroken(String reason, boolean malformed, Seen seen) {
        upstream = null;
        giveUp();
    }

    @Override
    public void upstreamWritability(boolean writable) {
        // What waits is bounded elsewhere.
    }
}
