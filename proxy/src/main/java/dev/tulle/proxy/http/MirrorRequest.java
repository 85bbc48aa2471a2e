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
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A shadow copy of a request: sent whole, with {@code -shadow} behind its host name; the answer is thrown away. Never
 * touches the request that it copies. Loop-confined.
 */
final class MirrorRequest implements UpstreamUser {
    private static final long TIMEOUT = TimeUnit.SECONDS.toNanos(15);
    private static final byte[] LAST_CHUNK = {'0', '\r', '\n', '\r', '\n'};

    private final Worker worker;
    private final EndpointPool pool;
    private final boolean isHead;
    private final TimerWheel.Timer timer = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pool.cancel(MirrorRequest.this);
            done(true);
        }
    };
    /** Until it is handed over. */
    private @Nullable ByteBuf request;

    private @Nullable UpstreamConnection upstream;
    private boolean over;

    private MirrorRequest(Worker worker, EndpointPool pool, ByteBuf request, boolean isHead) {
        this.worker = worker;
        this.pool = pool;
        this.request = request;
        this.isHead = isHead;
    }

    /** Sends the copies of a complete request that its route asks for, as far as its body was kept. */
    static void sendAll(
            Worker worker,
            RouteDecision decided,
            ForwardPlan plan,
            RequestHead head,
            Routing routing,
            Peer from,
            ReplayBuffer body) {
        SentRequest sent = new SentRequest(head, routing, plan);
        for (RouteAction.Mirror mirror : decided.mirrors()) {
            WorkerCluster target = plan.mirrors().get(mirror.cluster());
            if (target != null && body.isWhole()) {
                send(worker, target, sent, from, body);
            }
        }
    }

    /** Sends one; does nothing when there is no endpoint or no room. */
    private static void send(Worker worker, WorkerCluster cluster, SentRequest sent, Peer from, ReplayBuffer body) {
        RequestHead head = sent.head();
        EndpointPool pool = cluster.pick(from.caller(), List.of());
        if (pool == null || pool.isOverflowing() || head.isUpgrade()) {
            return;
        }
        String authority = shadow(sent.authority());
        Verdict verdict = pool.access().request(from.source(), new OverriddenRequest(sent, sent.path(), authority));
        if (verdict != null && !verdict.allowed()) {
            pool.access().denied(verdict);
            return;
        }
        ByteSink sink = worker.sink();
        HeadWriter.request(
                sink, head, sent.routing().path(), authority, sent.plan().requestHeaders(), from, worker.random());
        ByteBuf request = worker.allocator().buffer(sink.length() + 256);
        request.writeBytes(sink.array(), 0, sink.length());
        ByteBuf kept = body.copy();
        if (kept != null) {
            if (head.isChunked()) {
                ByteSink size = worker.sink().putHex(kept.readableBytes()).put("\r\n");
                request.writeBytes(size.array(), 0, size.length())
                        .writeBytes(kept)
                        .writeByte('\r')
                        .writeByte('\n');
            } else {
                request.writeBytes(kept);
            }
            kept.release();
        }
        if (head.isChunked()) {
            request.writeBytes(LAST_CHUNK);
        }
        MirrorRequest mirror = new MirrorRequest(worker, pool, request, head.isHead());
        pool.activeChanged(1);
        worker.timers().set(mirror.timer, System.nanoTime() + TIMEOUT);
        if (verdict != null) {
            mirror.acquire();
        } else {
            mirror.waitFor(from.source(), FrozenRequest.of(sent, authority));
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

    private static String shadow(String authority) {
        int colon = authority.lastIndexOf(':');
        return colon < 0 || authority.indexOf(']') > colon
                ? authority + "-shadow"
                : authority.substring(0, colon) + "-shadow" + authority.substring(colon);
    }

    @Override
    public void connected(UpstreamConnection connection) {
        ByteBuf whole = request;
        if (whole == null) {
            connection.abandon();
            return;
        }
        upstream = connection;
        request = null;
        connection.begin(this, isHead, UpstreamConnection.Asked.NOTHING);
        connection.out().add(whole);
        connection.out().flush();
    }

    private void done(boolean abandon) {
        if (over) {
            return;
        }
        over = true;
        worker.timers().remove(timer);
        pool.activeChanged(-1);
        ByteBuf unsent = request;
        request = null;
        if (unsent != null) {
            unsent.release();
        }
        UpstreamConnection from = upstream;
        upstream = null;
        if (from != null) {
            if (abandon) {
                from.abandon();
            } else {
                from.finish(true);
            }
        }
    }

    @Override
    public void connectFailed(String reason) {
        done(true);
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
        done(true);
    }

    @Override
    public void upstreamWritability(boolean writable) {
        // The request was handed over whole.
    }
}
