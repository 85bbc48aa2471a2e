package dev.tulle.proxy.forward;

import dev.tulle.model.RouteDecision;
import dev.tulle.model.Verdict;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.forward.ForwardState.Event;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import java.util.concurrent.TimeUnit;

/**
 * The way of one request to an endpoint that answers it: chooses one, asks the policies that are in force there, gets a
 * connection and sends; and does so again where a try has brought nothing and route and budget allow another.
 * Loop-confined.
 */
final class Approach {
    /** How long a request waits for the policies of its destination. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(5);

    private final HttpScope scope;
    private final Worker worker;
    private final Parts parts;
    private final OwnAnswer own;
    private final UpstreamUser user;
    private final Downstream client;
    private final RequestHead head;
    private final Routing routing;
    private final Deadlines deadlines;
    private final Tally tally;
    private final Progress progress;
    private final Tries tries;
    private final RequestSide request;
    private final Admission admission;
    private final TimerWheel.Timer pause = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pauseOver();
        }
    };

    /** The kernel has sent the current try, which has no answer yet. */
    private boolean byKernel;

    /**
     * Of a request.
     *
     * @param user who takes the answer
     */
    Approach(Parts parts, OwnAnswer own, UpstreamUser user, Progress progress, Tries tries, RequestSide request) {
        this.parts = parts;
        this.scope = parts.scope();
        this.worker = scope.upstreams().worker();
        this.own = own;
        this.user = user;
        this.client = parts.client();
        this.head = parts.head();
        this.routing = parts.routing();
        this.deadlines = parts.deadlines();
        this.tally = parts.tally();
        this.progress = progress;
        this.tries = tries;
        this.request = request;
        this.admission = new Admission(parts, request);
    }

    /** A request begins. */
    void reset() {
        byKernel = false;
        admission.reset();
    }

    /** The request is for this cluster. */
    void begin(WorkerCluster target, ForwardPlan chosen, RouteDecision decided) {
        tries.begin(target, client.peer().caller(head));
        if (!request.begin(chosen, decided)) {
            own.reply(
                    431, Flags.DOWNSTREAM_PROTOCOL, "request_headers_too_large", "the head is too large to be sent on");
            return;
        }
        if (request.isComplete()) {
            bound(deadlines.ofPlan(chosen, tally.grpc, System.nanoTime()));
        }
        tryEndpoint(false);
    }

    /** The kernel has decided on the request and sent it over this connection. */
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
        progress.on(Event.TAKEN);
        byKernel = !taken.isAnswered();
        if (byKernel && request.isComplete()) {
            if (chosen.perTryNanos() > 0) {
                deadlines.ofTry(tally.startNanos + chosen.perTryNanos());
            }
            deadlines.silentFrom(tally.startNanos);
        }
    }

    /**
     * The whole request is there: its route's timeouts count from now, as Envoy's do. What an upload takes is not the
     * server's fault.
     */
    void requestComplete(long now) {
        ForwardPlan chosen = routing.plan();
        ForwardState at = progress.state();
        boolean forwarded = tries.count() > 0 || at == ForwardState.AUTHORIZING;
        if (chosen == null || at == ForwardState.IDLE || !forwarded) {
            return;
        }
        bound(deadlines.ofPlan(chosen, tally.grpc, now));
        if (at == ForwardState.CONNECTING || at == ForwardState.SENT) {
            bound(deadlines.ofTry(chosen, now));
        }
    }

    private void bound(boolean isEarlier) {
        if (isEarlier) {
            parts.armDeadline();
        }
    }

    // ---- one try ----

    private void tryEndpoint(boolean fresh) {
        ForwardPlan chosen = routing.plan();
        if (chosen == null) {
            return;
        }
        EndpointPool picked = tries.pick(fresh);
        if (picked == null) {
            own.reply(503, Flags.NO_HEALTHY, "no_healthy_upstream", "no healthy upstream");
            return;
        }
        if (!isAllowed(picked, chosen, fresh)) {
            return;
        }
        if (picked.isOverflowing()) {
            String why = "upstream connect error: too many connections and pending requests";
            own.reply(503, Flags.OVERFLOW, "upstream_overflow", why);
            return;
        }
        tries.enter(picked);
        if (request.isComplete()) {
            bound(deadlines.ofTry(chosen, System.nanoTime()));
        }
        progress.on(Event.ADMITTED);
        UpstreamStream ready = picked.acquire(user, head.isHttp2(), fresh);
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
            progress.on(Event.UNDECIDED);
            worker.timers().set(pause, System.nanoTime() + PATIENCE);
            admission.whenKnown(picked, () -> {
                if (progress.is(ForwardState.AUTHORIZING)) {
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
            own.deny();
        }
        return verdict.allowed();
    }

    /** A connection that had to be waited for is there. */
    void connected(UpstreamStream made) {
        ForwardPlan chosen = routing.plan();
        EndpointPool at = tries.pool();
        if (!progress.is(ForwardState.CONNECTING) || at == null || chosen == null) {
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

    /** Asks again after a wait: a policy that came meanwhile holds, as nothing was sent yet. */
    private boolean isStillAllowed(EndpointPool at, UpstreamStream made, ForwardPlan chosen) {
        Verdict verdict = admission.verdict(at, chosen);
        if (verdict != null && verdict.allowed()) {
            return true;
        }
        made.abandon();
        if (verdict == null) {
            endTry(true);
            progress.on(Event.TRIED_AGAIN);
            tryEndpoint(false);
        } else {
            admission.denied(at, verdict);
            own.deny();
        }
        return false;
    }

    private void send(UpstreamStream to) {
        tries.connected(to);
        progress.on(Event.CONNECTED);
        request.send(to, user);
    }

    /**
     * The endpoint answers.
     *
     * @return false when the client does not get this answer, as another try follows
     */
    boolean answered(ResponseHead answer) {
        ForwardPlan chosen = routing.plan();
        if (chosen == null) {
            return false;
        }
        tally.code = answer.code();
        tally.upstreamNanos = System.nanoTime();
        tries.answered(client.channel(), tally.code);
        byKernel = false;
        deadlines.moved();
        if (chosen.retriesResponses() && chosen.retries(answer) && beginRetry()) {
            return false;
        }
        request.answered();
        return true;
    }

    /** The answer is whole: the connection may serve again. */
    void leave() {
        UpstreamStream from = tries.upstream();
        if (from != null) {
            from.read(true);
            // A server that ignores the body of a GET would read it as its next request: not on our connection.
            from.finish(request.leavesClean());
        }
        tries.disconnected();
        endTry(false);
    }

    /** The endpoint of the current try is left, with what is the try's. */
    void endTry(boolean failed) {
        tries.end(user, progress.is(ForwardState.CONNECTING), failed || !request.isComplete());
        deadlines.tryOver();
    }

    // ---- another try ----

    /** There is no connection for the current try. */
    void connectFailed(String reason) {
        if (!progress.is(ForwardState.CONNECTING)) {
            return;
        }
        if (UpstreamChannels.isDenied(reason)) {
            tally.flag(Flags.DENIED, "rbac_access_denied_at_destination");
            own.deny();
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
        own.reply(503, tally.flags, tally.details, "upstream connect error: " + reason);
    }

    /** The connection of the current try ended before the answer. */
    void broken(String reason, boolean malformed, UpstreamUser.Seen seen) {
        if (byKernel) {
            byKernel = false;
            scope.leases().lost();
        }
        boolean never = seen == UpstreamUser.Seen.NEVER;
        boolean harmless = never || (seen == UpstreamUser.Seen.HARDLY && head.isIdempotent());
        if (harmless && request.isRepeatable() && tries.beginHarmlessRetry(user, never)) {
            deadlines.tryOver();
            progress.on(Event.TRIED_AGAIN);
            tryEndpoint(true);
            return;
        }
        tries.failed(client.channel());
        if (retriesReset()) {
            return;
        }
        own.reply(
                malformed ? 502 : 503,
                Flags.join(tally.flags, malformed ? Flags.UPSTREAM_PROTOCOL : Flags.UPSTREAM_CLOSED),
                malformed ? "upstream_protocol_error" : "upstream_reset_before_response_started",
                "upstream connect error or disconnect/reset before headers: " + reason);
    }

    /** Schedules another try after one that brought no answer, or none in time, if the route has that. */
    boolean retriesReset() {
        ForwardPlan chosen = routing.plan();
        return chosen != null && chosen.retriesReset() && beginRetry();
    }

    /** Schedules another try if policy and budget allow. */
    private boolean beginRetry() {
        ForwardPlan chosen = routing.plan();
        boolean connecting = progress.is(ForwardState.CONNECTING);
        if (chosen == null || !tries.beginRetry(chosen, user, connecting, request.isRepeatable())) {
            return false;
        }
        deadlines.tryOver();
        progress.on(Event.TRIED_AGAIN);
        worker.timers().set(pause, System.nanoTime() + tries.backoffNanos(worker.random()));
        return true;
    }

    private void pauseOver() {
        if (progress.is(ForwardState.AUTHORIZING)) {
            String why = "the policies of the destination are not known";
            own.reply(503, Flags.join(tally.flags, Flags.DENIED), "authorization_not_known", why);
        } else if (progress.is(ForwardState.WAITING)) {
            tryEndpoint(false);
            client.resumeBody();
        }
    }

    /** The time of the request, or of its try, is over: whose fault that is. */
    void timedOut() {
        if (progress.is(ForwardState.CONNECTING) || (progress.is(ForwardState.SENT) && request.isComplete())) {
            tries.failed(client.channel());
        }
    }

    /** Nothing more is sent: the request is answered otherwise, or has lost its client. */
    void stop() {
        worker.timers().cancel(pause);
        endTry(true);
    }
}
