package dev.tulle.proxy.http;

import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.Verdict;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.proxy.upstream.UpstreamConnection;
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
 * A shadow copy of a request,; the answer is thrown away. Its body goes on as it
 * comes, whatever its length: never touches the request that it copies, and does not hold it back. A copy whose endpoint
 * cannot keep up is given up and counted. Loop-confined.
 */
final class MirrorRequest implements UpstreamUser {
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
    private final boolean isHead;
    private final boolean chunked;
    /** False when a server could take the body for its next request, see {@link RequestSide#leavesClean}. */
    private final boolean clean;

    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pool.cancel(MirrorRequest.this);
            giveUp();
        }
    };
    /** The head, and pieces of the body that came before there was a connection. */
    private final Deque<ByteBuf> early = new ArrayDeque<>();

    private long waiting;
    private byte @Nullable [] trailers;
    private @Nullable UpstreamConnection upstream;
    private boolean over;

    private MirrorRequest(Worker worker, Counter lost, EndpointPool pool, RequestHead head) {
        this.worker = worker;
        this.lost = lost;
        this.pool = pool;
        this.isHead = head.isHead();
        this.chunked = head.isChunked();
        this.clean = !head.hasUnusualBody();
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
        RequestHead head = sent.head();
        EndpointPool pool = cluster.pick(from.caller(), List.of());
        if (pool == null || pool.isOverflowing()) {
            lost.increment();
            return null;
        }
        Verdict verdict = pool.access().request(from.source(), sent);
        if (verdict != null && !verdict.allowed()) {
            pool.access().denied(verdict);
            return null;
        }
        ByteSink sink = worker.sink();
        Routing routing = sent.routing();
        HeadWriter.request(
                sink, head, routing.path(), routing.authority(), sent.plan().requestHeaders(), from, worker.random());
        MirrorRequest mirror = new MirrorRequest(worker, lost, pool, head);
        mirror.early.add(worker.allocator().buffer(sink.length()).writeBytes(sink.array(), 0, sink.length()));
        pool.activeChanged(1);
        mirror.moved();
        if (verdict != null) {
            mirror.acquire();
        } else {
            mirror.waitFor(from.source(), FrozenRequest.of(sent));
        }
        return mirror;
    }

    /** Sends a copy of a piece of the body, as soon as it can. */
    void data(ByteBuf piece) {
        UpstreamConnection to = upstream;
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
            send(to, piece.retainedDuplicate());
            to.out().flush();
            queued = UpstreamChannels.unsent(to.channel());
        }
        if (queued > LIMIT) {
            pool.cancel(this);
            giveUp();
        }
    }

    /** The body is complete. */
    void end(byte[] lines) {
        trailers = lines;
        UpstreamConnection to = upstream;
        if (!over && to != null) {
            finishBody(to, lines);
        }
    }

    /** The request that it copies is over; without its whole body the copy cannot be. */
    void over() {
        if (!over && trailers == null) {
            pool.cancel(this);
            giveUp();
        }
    }

    private void send(UpstreamConnection to, ByteBuf piece) {
        if (chunked) {
            Chunks.add(worker, to.out(), piece);
        } else {
            to.out().add(piece);
        }
    }

    private void finishBody(UpstreamConnection to, byte[] lines) {
        if (chunked) {
            Chunks.end(worker, to.out(), lines);
        }
        to.out().flush();
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
        UpstreamConnection ready = pool.acquire(this, false);
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
    public void connected(UpstreamConnection connection) {
        ByteBuf head = early.poll();
        if (head == null) {
            connection.abandon();
            return;
        }
        upstream = connection;
        connection.begin(this, isHead, UpstreamConnection.Asked.NOTHING);
        connection.out().add(head);
        while (true) {
            ByteBuf piece = early.poll();
            if (piece == null) {
                break;
            }
            send(connection, piece);
        }
        byte[] lines = trailers;
        if (lines != null) {
            finishBody(connection, lines);
        } else {
            connection.out().flush();
        }
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
        UpstreamConnection from = upstream;
        upstream = null;
        if (from != null) {
            if (abandon) {
                from.abandon();
            } else {
                from.finish(clean && trailers != null);
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
    public void upstreamBroken(String reason, boolean malformed, boolean untouched) {
        upstream = null;
        giveUp();
    }

    @Override
    public void upstreamWritability(boolean writable) {
        // What waits is bounded elsewhere.
    }
}
