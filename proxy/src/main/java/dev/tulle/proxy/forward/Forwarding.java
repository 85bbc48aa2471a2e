package dev.tulle.proxy.forward;

import dev.tulle.model.RouteDecision;
import dev.tulle.model.Verdict;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.From;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The endpoint's half of one request, from the choice of a cluster to the end of the answer: tries, each asked of the
 * policies that are in force at its endpoint, and what passes in both directions. What the client gets in place of an answer
 * is its {@link Owner}'s. Reused for all requests of a connection of HTTP/1. Loop-confined.
 */
final class Forwarding implements UpstreamUser {
    /** Whose request it is. */
    interface Owner {
        /** Answers with the proxy's own words; afterwards the request is over. */
        void reply(int status, String flags, String details, String body);

        /** The same for a request that a policy refuses; why is in the tally. */
        void deny();

        /** Ends a request whose answer has begun and cannot be completed. */
        void fail();

        /** The request is over. */
        void finish();

        /** The request is over, and the client hears of a reset. */
        void finishByReset();

        /** There is an earlier deadline. */
        void armDeadline();
    }

    private enum Phase {
        /** Nothing is forwarded. */
        IDLE,
        /** Waiting for the policies of the endpoint's workload, or for the client's identity. */
        AUTHORIZING,
        /** The pause before another try. */
        WAITING,
        CONNECTING,
        SENT,
        RESPONDING,
        TUNNEL
    }

    /** How long a request waits for the policies of its destination. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(5);

    private final HttpScope scope;
    private final Worker worker;
    private final Owner owner;
    private final Downstream client;
    private final RequestHead head;
    private final Routing routing;
    private final FilterChain filters;
    private final Deadlines deadlines;
    private final Tally tally;
    private final Tries tries = new Tries();
    private final RequestSide request;
    private final Admission admission;
    private final TimerWheel.Timer pause = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pauseOver();
        }
    };

    private Phase phase = Phase.IDLE;
    private boolean byKernel;
    private boolean clientEnded;
    private boolean serverEnded;

    Forwarding(
            HttpScope scope,
            Owner owner,
            Downstream client,
            RequestHead head,
            Routing routing,
            FilterChain filters,
            Deadlines deadlines,
            Tally tally) {
        this.scope = scope;
        this.worker = scope.upstreams().worker();
        this.owner = owner;
        this.client = client;
        this.head = head;
        this.routing = routing;
        this.filters = filters;
        this.deadlines = deadlines;
        this.tally = tally;
        this.request = new RequestSide(scope, head, routing, client.peer());
        this.admission = new Admission(head, routing, client.peer(), tally);
    }

    /** A request begins. */
    void reset() {
        phase = Phase.IDLE;
        byKernel = false;
        clientEnded = false;
        serverEnded = false;
        admission.reset();
        tries.reset();
        request.reset();
    }

    /** The head was read; without a body the request is complete. */
    void headRead() {
        request.headRead();
    }

    /** True when the whole request was received. */
    boolean isComplete() {
        return request.isComplete();
    }

    /** True while the answer passes: what goes wrong now is seen by the client. */
    boolean isResponding() {
        return phase == Phase.RESPONDING;
    }

    /** True while bytes pass that are no HTTP any more. */
    boolean isTunnel() {
        return phase == Phase.TUNNEL;
    }

    /** True during the pause before another try. */
    boolean isPausing() {
        return phase == Phase.WAITING;
    }

    /** The endpoint of the last try; null before the first has ended. */
    @Nullable
    EndpointPool last() {
        return tries.last();
    }

    private void pauseOver() {
        if (phase == Phase.AUTHORIZING) {
            String why = "the policies of the destination are not known";
            owner.reply(503, Flags.join(tally.flags, Flags.DENIED), "authorization_not_known", why);
        } else if (phase == Phase.WAITING) {
            tryEndpoint(false);
            client.resumeBody();
        }
    }

    // ---- toward the endpoint ----

    /** Goes on with a request that the kernel has decided on and sent. */
    void take(OutboundService service, UpstreamConnection from, TakenRequest taken) {
        tally.startNanos = taken.sinceNanos();
        tally.requestBytes = taken.bodyLength() - taken.left();
        request.sent(tally.requestBytes, taken.left() > 0, taken.unproven());
        ForwardPlan chosen = routing.decided(
                scope.upstreams(), service, head, client.peer(), from.pool().cluster());
        if (taken.timeoutMillis() > 0 && request.isComplete()) {
            deadlines.whole(tally.startNanos + TimeUnit.MILLISECONDS.toNanos(taken.timeoutMillis()));
        }
        tries.take(chosen.cluster(), from);
        if (taken.isAnswered()) {
            phase = Phase.RESPONDING;
            tally.counted = true;
            tally.code = taken.code();
            client.headPassed();
            from.resume(this, taken.remaining());
        } else {
            phase = Phase.SENT;
            byKernel = true;
            if (request.isComplete()) {
                if (chosen.perTryNanos() > 0) {
                    deadlines.ofTry(tally.startNanos + chosen.perTryNanos());
                }
                deadlines.silentFrom(tally.startNanos);
            }
            from.adopt(this, head.isHead());
        }
        owner.armDeadline();
    }

    /** The request is for this cluster. */
    void forward(WorkerCluster target, ForwardPlan chosen, RouteDecision decided) {
        tries.begin(target, client.peer().caller(head));
        request.begin(chosen, decided);
        if (request.isComplete()) {
            bound(deadlines.ofPlan(chosen, tally.grpc, System.nanoTime()));
        }
        tryEndpoint(false);
    }

    /**
     * The whole request is there: its route's timeouts count from now, as Envoy's do. What an upload takes is not the
     * server's fault.
     */
    private void boundFrom(long now) {
        ForwardPlan chosen = routing.plan();
        boolean forwarded = tries.count() > 0 || phase == Phase.AUTHORIZING;
        if (chosen == null || phase == Phase.IDLE || !forwarded) {
            return;
        }
        bound(deadlines.ofPlan(chosen, tally.grpc, now));
        if (phase == Phase.CONNECTING || phase == Phase.SENT) {
            bound(deadlines.ofTry(chosen, now));
        }
    }

    private void bound(boolean isEarlier) {
        if (isEarlier) {
            owner.armDeadline();
        }
    }

    private void tryEndpoint(boolean fresh) {
        ForwardPlan chosen = routing.plan();
        if (chosen == null) {
            return;
        }
        EndpointPool picked = tries.pick(fresh);
        if (picked == null) {
            owner.reply(503, Flags.NO_HEALTHY, "no_healthy_upstream", "no healthy upstream");
            return;
        }
        if (!isAllowed(picked, chosen, fresh)) {
            return;
        }
        if (picked.isOverflowing()) {
            String why = "upstream connect error: too many connections and pending requests";
            owner.reply(503, Flags.OVERFLOW, "upstream_overflow", why);
            return;
        }
        tries.enter(picked);
        if (request.isComplete()) {
            bound(deadlines.ofTry(chosen, System.nanoTime()));
        }
        phase = Phase.CONNECTING;
        UpstreamStream ready = picked.acquire(this, head.isHttp2(), fresh);
        if (ready != null) {
            send(ready);
            if (!client.isReading()) {
                ready.flush();
            }
        }
    }

    /** False when the request was refused, or waits for what decides on it. */
    private boolean isAllowed(EndpointPool picked, ForwardPlan chosen, boolean fresh) {
        Verdict verdict = admission.verdict(picked, chosen);
        if (verdict == null) {
            phase = Phase.AUTHORIZING;
            worker.timers().set(pause, System.nanoTime() + PATIENCE);
            admission.whenKnown(picked, () -> {
                if (phase == Phase.AUTHORIZING) {
                    worker.timers().remove(pause);
                    tryEndpoint(fresh);
                    client.resumeBody();
                }
            });
            return false;
        }
        if (!verdict.allowed()) {
            tries.enter(picked);
            admission.denied(picked, verdict);
            owner.deny();
        }
        return verdict.allowed();
    }

    /** Asks again after a wait: a policy that came meanwhile holds, as nothing was sent yet. */
    private boolean isStillAllowed(EndpointPool at, UpstreamStream made, ForwardPlan chosen) {
        Verdict verdict = admission.verdict(at, chosen);
        if (verdict != null && verdict.allowed()) {
            return true;
        }
        made.abandon();
        if (verdict == null) {
            endTry(true);
            tryEndpoint(false);
        } else {
            admission.denied(at, verdict);
            owner.deny();
        }
        return false;
    }

    @Override
    public ProxyHeader.Ends ends() {
        return client.peer().ends();
    }

    @Override
    public From from() {
        return From.of(client.peer().source(), client.peer().ends());
    }

    @Override
    public void connected(UpstreamStream made) {
        ForwardPlan chosen = routing.plan();
        EndpointPool at = tries.pool();
        if (phase != Phase.CONNECTING || at == null || chosen == null) {
            made.abandon();
            return;
        }
        if (!isStillAllowed(at, made, chosen)) {
            return;
        }
        send(made);
        client.resumeBody();
        UpstreamStream now = tries.upstream();
        if (now != null) {
            now.flush();
        }
    }

    private void send(UpstreamStream to) {
        tries.connected(to);
        phase = Phase.SENT;
        request.send(to, this);
    }

    /** True when body bytes can be taken now. */
    boolean takesBody() {
        UpstreamStream to = tries.upstream();
        return switch (phase) {
            case SENT, RESPONDING, TUNNEL -> to != null && to.isWritable();
            default -> false;
        };
    }

    /** A piece of the request's body, or of what the client sends through a tunnel. */
    void requestData(ByteBuf data) {
        deadlines.moved();
        tally.requestBytes += data.readableBytes();
        UpstreamStream to = tries.upstream();
        if (to == null) {
            data.release();
            return;
        }
        if (phase == Phase.TUNNEL) {
            to.data(data);
        } else {
            filters.requestData(data);
            request.data(to, data);
        }
        if (!client.isReading()) {
            to.flush();
        }
    }

    /**
     * The request's body is complete.
     *
     * @param trailers lines that follow it, each with its end
     */
    void requestEnd(byte[] trailers) {
        request.end(tries.upstream(), trailers);
        boundFrom(System.nanoTime());
        flushUpstream();
    }

    /** End of a batch of reads from the client. */
    void flushUpstream() {
        UpstreamStream to = tries.upstream();
        if (to != null && !to.flush() && (!request.isComplete() || phase == Phase.TUNNEL)) {
            client.pauseBody(to.unsent());
        }
    }

    @Override
    public void connectFailed(String reason) {
        if (UpstreamChannels.isDenied(reason)) {
            tally.flag(Flags.DENIED, "rbac_access_denied_at_destination");
            owner.deny();
            return;
        }
        tries.failed(client.channel());
        ForwardPlan chosen = routing.plan();
        if (chosen != null && chosen.retriesConnectFailure() && beginRetry()) {
            return;
        }
        tally.flag(
                Flags.CONNECT_FAILED,
                UpstreamChannels.isOfTls(reason)
                        ? "upstream_connect_failure{" + reason + "}"
                        : "upstream_connect_failure");
        if (tries.count() > 1) {
            tally.flag(Flags.RETRIES_USED_UP);
        }
        owner.reply(503, tally.flags, tally.details, "upstream connect error: " + reason);
    }

    /** True when a try that brought no response, or none in time, may be followed by another. */
    private boolean retriesReset() {
        ForwardPlan chosen = routing.plan();
        return chosen != null && chosen.retriesReset();
    }

    /** Schedules another try if policy and budget allow. */
    private boolean beginRetry() {
        ForwardPlan chosen = routing.plan();
        if (chosen == null || !tries.beginRetry(chosen, this, phase == Phase.CONNECTING, request.isRepeatable())) {
            return false;
        }
        deadlines.tryOver();
        phase = Phase.WAITING;
        worker.timers().set(pause, System.nanoTime() + tries.backoffNanos(worker.random()));
        return true;
    }

    private void endTry(boolean failed) {
        tries.end(this, phase == Phase.CONNECTING, failed || !request.isComplete());
        deadlines.tryOver();
    }

    // ---- from the endpoint ----

    @Override
    public void interim(ResponseHead interim) {
        client.interim(interim);
    }

    @Override
    public void responseHead(ResponseHead answer, int following) {
        ForwardPlan chosen = routing.plan();
        UpstreamStream from = tries.upstream();
        if (chosen == null || from == null) {
            return;
        }
        tally.code = answer.code();
        tally.upstreamNanos = System.nanoTime();
        tries.answered(client.channel(), tally.code);
        byKernel = false;
        deadlines.moved();
        if (chosen.retriesResponses() && chosen.retries(answer) && beginRetry()) {
            return;
        }
        request.answered();
        boolean tunnel = from.isTunnel();
        phase = tunnel ? Phase.TUNNEL : Phase.RESPONDING;
        filters.response(answer);
        client.head(answer, tunnel, following, filters.responseChanges(chosen.responseHeaders()));
    }

    @Override
    public void responseData(ByteBuf data) {
        deadlines.moved();
        tally.responseBytes += data.readableBytes();
        if (phase == Phase.RESPONDING || phase == Phase.TUNNEL) {
            if (phase == Phase.RESPONDING) {
                filters.responseData(data);
            }
            client.data(data);
        } else {
            data.release();
        }
    }

    @Override
    public void readComplete() {
        if (!client.flush()) {
            UpstreamStream from = tries.upstream();
            if (from != null) {
                from.read(false);
            }
        }
    }

    /** The client takes more bytes again, or no more for now. */
    void downstreamWritability(boolean writable) {
        UpstreamStream from = tries.upstream();
        if (from != null && writable) {
            from.read(true);
        }
    }

    @Override
    public void upstreamWritability(boolean writable) {
        if (writable && (!request.isComplete() || phase == Phase.TUNNEL)) {
            client.resumeBody();
        }
    }

    @Override
    public void responseTrailers(byte[] lines) {
        filters.responseTrailers(lines);
        client.trailers(lines);
    }

    @Override
    public void responseEnd() {
        client.end();
        UpstreamStream from = tries.upstream();
        if (from != null) {
            from.read(true);
            // A server that ignores the body of a GET would read it as its next request: not on our connection.
            from.finish(request.leavesClean());
        }
        tries.disconnected();
        endTry(false);
        owner.finish();
    }

    @Override
    public void upstreamBroken(String reason, boolean malformed, Seen seen) {
        UpstreamStream from = tries.upstream();
        tries.disconnected();
        if (phase == Phase.TUNNEL) {
            endTry(true);
            if (from != null && from.wasReset()) {
                owner.finishByReset();
            } else {
                owner.finish();
            }
            return;
        }
        if (phase == Phase.RESPONDING) {
            // The client must see that the response is not whole.
            tries.failed(client.channel());
            tally.flag(Flags.UPSTREAM_CLOSED, "upstream_reset_after_response_started");
            owner.fail();
            return;
        }
        if (byKernel) {
            byKernel = false;
            scope.leases().lost();
        }
        boolean harmless = seen == Seen.NEVER || (seen == Seen.HARDLY && head.isIdempotent());
        if (harmless && request.isRepeatable() && tries.beginHarmlessRetry(this, seen == Seen.NEVER)) {
            deadlines.tryOver();
            tryEndpoint(true);
            return;
        }
        tries.failed(client.channel());
        if (retriesReset() && beginRetry()) {
            return;
        }
        owner.reply(
                malformed ? 502 : 503,
                Flags.join(tally.flags, malformed ? Flags.UPSTREAM_PROTOCOL : Flags.UPSTREAM_CLOSED),
                malformed ? "upstream_protocol_error" : "upstream_reset_before_response_started",
                "upstream connect error or disconnect/reset before headers: " + reason);
    }

    /** The client sends nothing more through a tunnel; it may still read. */
    void clientEnded() {
        UpstreamStream to = tries.upstream();
        if (phase != Phase.TUNNEL || to == null || clientEnded) {
            return;
        }
        clientEnded = true;
        to.endOutput();
        endTunnel();
    }

    @Override
    public void tunnelEnded() {
        if (phase == Phase.TUNNEL && !serverEnded) {
            serverEnded = true;
            client.endOutput();
            endTunnel();
        }
    }

    /** What was sent into either end still arrives at the other. */
    private void endTunnel() {
        UpstreamStream to = tries.upstream();
        if (clientEnded && serverEnded && to != null) {
            tries.disconnected();
            endTry(false);
            to.closeWhenSent();
            owner.finish();
        }
    }

    /** The client has reset a tunnel: its server hears of that, too. */
    void clientReset() {
        UpstreamStream to = tries.upstream();
        if (phase == Phase.TUNNEL && to != null) {
            to.reset();
        }
    }

    // ---- ends ----

    /** The time of the request, or of its try, is over: whose fault that is. */
    void timedOut() {
        if (phase == Phase.CONNECTING || (phase == Phase.SENT && request.isComplete())) {
            tries.failed(client.channel());
        }
    }

    /** Tries again because the time of the try is over, if that may be. */
    boolean retriesLate() {
        return retriesReset() && beginRetry();
    }

    /** Nothing more is forwarded: the request is answered otherwise, or has lost its client. */
    void stop() {
        worker.timers().cancel(pause);
        endTry(true);
    }

    /** The request is over. */
    void over() {
        phase = Phase.IDLE;
        request.over();
        tries.over();
    }
}
