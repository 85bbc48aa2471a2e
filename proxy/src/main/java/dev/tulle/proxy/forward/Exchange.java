package dev.tulle.proxy.forward;

import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteDecision;
import dev.tulle.model.Verdict;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request and its response, from the decision to the report: holds the phases together; the parts are {@link Routing},
 * {@link Tries}, {@link Deadlines}, {@link RequestSide} and {@link Tally}. Knows no protocol: the client's is behind
 * {@link Downstream}, the endpoint's behind {@link UpstreamStream}. Reused for all requests of a connection of HTTP/1.
 * Loop-confined.
 */
public final class Exchange implements UpstreamUser {
    private enum Phase {
        /** No request, or one whose head is still being read. */
        NONE,
        CHOOSING,
        /** Waiting for the policies of the endpoint's workload, or for the client's identity. */
        AUTHORIZING,
        /** Waiting on purpose: an injected delay, or the pause before a retry. */
        WAITING,
        CONNECTING,
        SENT,
        RESPONDING,
        TUNNEL
    }

    /** How long a request waits for the policies of its destination. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(5);

    private static final String DENIED = "RBAC: access denied";
    private static final String DIRECT = "direct_response";

    private final HttpScope scope;
    private final Worker worker;
    private final Downstream client;
    private final RequestHead head;
    private final Routing routing = new Routing();
    private final Tries tries = new Tries();
    private final Deadlines deadlines = new Deadlines();
    private final RequestSide request;
    private final Tally tally = new Tally();
    private final TimerWheel.Timer pause = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pauseOver();
        }
    };

    private Phase phase = Phase.NONE;
    private boolean byKernel;
    private boolean reported;
    private boolean clientEnded;
    private boolean serverEnded;

    /** Counts what was asked of policies, so that a late answer is known as one. */
    private long questions;

    /**
     * For the requests of a client.
     *
     * @param head where the head of each is
     */
    public Exchange(HttpScope scope, Downstream client, RequestHead head) {
        this.scope = scope;
        this.worker = scope.upstreams().worker();
        this.client = client;
        this.head = head;
        this.request = new RequestSide(scope, head, routing, client.peer());
    }

    /** The first byte of a request has come. */
    public void requestBegins() {
        phase = Phase.NONE;
        byKernel = false;
        reported = false;
        clientEnded = false;
        serverEnded = false;
        questions++;
        long now = System.nanoTime();
        tally.reset(now);
        deadlines.reset(now);
        routing.reset();
        tries.reset();
        request.reset();
    }

    public long startNanos() {
        return tally.startNanos;
    }

    // ---- decision ----

    /** The service has to be found from the request. */
    public void choose(ServiceChooser chooser) {
        phase = Phase.CHOOSING;
        request.headRead();
        armDeadline();
        chooser.choose(head, choice -> {
            if (phase != Phase.CHOOSING) {
                return;
            }
            OutboundService service = choice.service();
            if (service == null) {
                reply(404, Flags.NO_ROUTE, choice.refusal(), choice.refusal());
            } else {
                begin(service, choice.pathSkip(), choice.authority());
                client.resumeBody();
            }
        });
    }

    /** Decides on a complete head and acts. */
    public void begin(OutboundService service, int pathSkip, @Nullable String newAuthority) {
        request.headRead();
        boolean outside = !client.peer().outside().isEmpty();
        boolean secure = client.peer().secure();
        RouteDecision decided =
                routing.decide(scope.upstreams(), service, head, outside, secure, pathSkip, newAuthority);
        if (decided == null) {
            reply(503, Flags.NO_CLUSTER, "no_configuration", "no configuration for " + service.name());
            return;
        }
        armDeadline();
        if (decided.fault().equals(RouteDecision.Fault.NONE)) {
            act(decided);
        } else {
            fault(decided);
        }
    }

    private void fault(RouteDecision decided) {
        long delay = decided.fault().delay().toNanos();
        if (delay > 0) {
            tally.flag(Flags.DELAYED);
            phase = Phase.WAITING;
            worker.timers().set(pause, System.nanoTime() + delay);
        } else {
            afterDelay(decided);
        }
    }

    private void afterDelay(RouteDecision decided) {
        int abort = decided.fault().abortStatus();
        if (abort > 0) {
            reply(abort, Flags.join(tally.flags, Flags.ABORTED), "fault_filter_abort", "fault filter abort");
        } else {
            act(decided);
        }
    }

    private void pauseOver() {
        RouteDecision decided = routing.decision();
        if (phase == Phase.AUTHORIZING) {
            String why = "the policies of the destination are not known";
            reply(503, Flags.join(tally.flags, Flags.DENIED), "authorization_not_known", why);
            return;
        }
        if (phase != Phase.WAITING || decided == null) {
            return;
        }
        if (tries.count() == 0) {
            afterDelay(decided);
        } else {
            tryEndpoint(false);
        }
        client.resumeBody();
    }

    private void act(RouteDecision decided) {
        ForwardPlan chosen = routing.plan();
        switch (decided.outcome()) {
            case NO_ROUTE -> reply(404, Flags.NO_ROUTE, "route_not_found", "");
            case DIRECT_RESPONSE -> {
                if (chosen != null && chosen.route().action() instanceof RouteAction.DirectResponse direct) {
                    tally.details = DIRECT;
                    local(direct.status(), tally.flags, direct.body(), "", false);
                }
            }
            case REDIRECT -> {
                if (chosen != null && chosen.route().action() instanceof RouteAction.Redirect redirect) {
                    tally.details = DIRECT;
                    String to =
                            Redirects.location(redirect, head, routing.scheme(), routing.path(), routing.authority());
                    local(redirect.status(), tally.flags, "", to, false);
                }
            }
            case FORWARD -> {
                WorkerCluster target = chosen == null ? null : chosen.cluster();
                if (chosen == null || target == null) {
                    int status = chosen == null ? 503 : chosen.notFound();
                    reply(status, Flags.NO_CLUSTER, "cluster_not_found", "no such cluster");
                    return;
                }
                forward(target, chosen, decided);
            }
        }
    }

    /** Goes on with a request that the kernel has decided on and sent. */
    public void take(OutboundService service, UpstreamConnection from, TakenRequest taken) {
        tally.startNanos = taken.sinceNanos();
        tally.requestBytes = taken.bodyLength() - taken.left();
        request.sent(tally.requestBytes, taken.left() > 0, taken.unproven());
        ForwardPlan chosen =
                routing.decided(scope.upstreams(), service, head, from.pool().cluster());
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
        armDeadline();
    }

    // ---- toward the endpoint ----

    private void forward(WorkerCluster target, ForwardPlan chosen, RouteDecision decided) {
        tries.begin(target, client.peer().caller());
        request.begin(chosen, decided);
        if (request.isComplete()) {
            boundWhole(chosen, System.nanoTime());
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
        if (chosen == null || phase == Phase.NONE || !forwarded) {
            return;
        }
        boundWhole(chosen, now);
        if (phase == Phase.CONNECTING || phase == Phase.SENT) {
            boundTry(chosen, now);
        }
    }

    private void boundWhole(ForwardPlan chosen, long now) {
        if (chosen.timeoutNanos() > 0) {
            deadlines.whole(now + chosen.timeoutNanos());
            armDeadline();
        }
    }

    private void boundTry(ForwardPlan chosen, long now) {
        if (chosen.perTryNanos() > 0) {
            deadlines.ofTry(now + chosen.perTryNanos());
            armDeadline();
        }
    }

    private void tryEndpoint(boolean fresh) {
        ForwardPlan chosen = routing.plan();
        if (chosen == null) {
            return;
        }
        EndpointPool picked = tries.pick(fresh);
        if (picked == null) {
            reply(503, Flags.NO_HEALTHY, "no_healthy_upstream", "no healthy upstream");
            return;
        }
        if (!isAllowed(picked, chosen, fresh)) {
            return;
        }
        if (picked.isOverflowing()) {
            String why = "upstream connect error: too many connections and pending requests";
            reply(503, Flags.OVERFLOW, "upstream_overflow", why);
            return;
        }
        tries.enter(picked);
        if (request.isComplete()) {
            boundTry(chosen, System.nanoTime());
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

    private @Nullable Verdict verdict(EndpointPool of, ForwardPlan chosen) {
        Peer peer = client.peer();
        return of.access().request(peer.source(), new SentRequest(head, routing, chosen, peer));
    }

    /** False when the request was refused, or waits for what decides on it. */
    private boolean isAllowed(EndpointPool picked, ForwardPlan chosen, boolean fresh) {
        Verdict verdict = verdict(picked, chosen);
        if (verdict == null) {
            phase = Phase.AUTHORIZING;
            worker.timers().set(pause, System.nanoTime() + PATIENCE);
            questions++;
            long asked = questions;
            picked.access().whenKnown(client.peer().source(), () -> {
                if (phase == Phase.AUTHORIZING && asked == questions) {
                    worker.timers().remove(pause);
                    tryEndpoint(fresh);
                    client.resumeBody();
                }
            });
            return false;
        }
        if (!verdict.allowed()) {
            tries.enter(picked);
            deny(picked, verdict);
        }
        return verdict.allowed();
    }

    private void deny(EndpointPool at, Verdict verdict) {
        at.access().denied(verdict);
        tally.flag(Flags.DENIED, verdict.details());
        local(403, tally.flags, DENIED, "", false);
    }

    /** Asks again after a wait: a policy that came meanwhile holds, as nothing was sent yet. */
    private boolean isStillAllowed(EndpointPool at, UpstreamStream made, ForwardPlan chosen) {
        Verdict verdict = verdict(at, chosen);
        if (verdict != null && verdict.allowed()) {
            return true;
        }
        made.abandon();
        if (verdict == null) {
            endTry(true);
            tryEndpoint(false);
        } else {
            deny(at, verdict);
        }
        return false;
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
    public boolean takesBody() {
        UpstreamStream to = tries.upstream();
        return switch (phase) {
            case SENT, RESPONDING, TUNNEL -> to != null && to.isWritable();
            default -> false;
        };
    }

    /** A piece of the request's body, or of what the client sends through a tunnel. */
    public void requestData(ByteBuf data) {
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
    public void requestEnd(byte[] trailers) {
        request.end(tries.upstream(), trailers);
        boundFrom(System.nanoTime());
        flushUpstream();
    }

    /** End of a batch of reads from the client. */
    public void flushUpstream() {
        UpstreamStream to = tries.upstream();
        if (to != null && !to.flush() && (!request.isComplete() || phase == Phase.TUNNEL)) {
            client.pauseBody(to.unsent());
        }
    }

    /** The request's body broke the rules: nothing of it can be trusted. */
    public void requestBroken(String why) {
        String details = "malformed_request_body";
        if (phase == Phase.RESPONDING) {
            tally.flag(Flags.DOWNSTREAM_PROTOCOL, details);
            fail();
        } else {
            reply(400, Flags.DOWNSTREAM_PROTOCOL, details, why);
        }
    }

    @Override
    public void connectFailed(String reason) {
        tries.failed(client.channel());
        ForwardPlan chosen = routing.plan();
        if (chosen != null && chosen.retriesConnectFailure() && beginRetry()) {
            return;
        }
        tally.flag(Flags.CONNECT_FAILED, "upstream_connect_failure");
        if (tries.count() > 1) {
            tally.flag(Flags.RETRIES_USED_UP);
        }
        reply(503, tally.flags, tally.details, "upstream connect error: " + reason);
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
        boolean tunnel = from.isTunnel();
        phase = tunnel ? Phase.TUNNEL : Phase.RESPONDING;
        client.head(answer, tunnel, following, chosen.responseHeaders());
    }

    @Override
    public void responseData(ByteBuf data) {
        deadlines.moved();
        tally.responseBytes += data.readableBytes();
        if (phase == Phase.RESPONDING || phase == Phase.TUNNEL) {
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
    public void downstreamWritability(boolean writable) {
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
        finish();
    }

    @Override
    public void upstreamBroken(String reason, boolean malformed, Seen seen) {
        UpstreamStream from = tries.upstream();
        tries.disconnected();
        if (phase == Phase.TUNNEL) {
            endTry(true);
            if (from != null && from.wasReset()) {
                report();
                client.reset();
            } else {
                finish();
            }
            return;
        }
        if (phase == Phase.RESPONDING) {
            // The client must see that the response is not whole.
            tries.failed(client.channel());
            tally.flag(Flags.UPSTREAM_CLOSED, "upstream_reset_after_response_started");
            fail();
            return;
        }
        if (byKernel) {
            byKernel = false;
            scope.leases().lost();
        }
        boolean harmless = seen == Seen.NEVER || (seen == Seen.HARDLY && head.isIdempotent());
        if (harmless && request.isRepeatable() && tries.beginStaleRetry(this)) {
            deadlines.tryOver();
            tryEndpoint(true);
            return;
        }
        tries.failed(client.channel());
        if (retriesReset() && beginRetry()) {
            return;
        }
        reply(
                malformed ? 502 : 503,
                Flags.join(tally.flags, malformed ? Flags.UPSTREAM_PROTOCOL : Flags.UPSTREAM_CLOSED),
                malformed ? "upstream_protocol_error" : "upstream_reset_before_response_started",
                "upstream connect error or disconnect/reset before headers: " + reason);
    }

    // ---- ends ----

    /** A request that is not forwarded because of what it is. */
    public void refuse(int status, String why) {
        tally.details = why;
        local(status, Flags.DOWNSTREAM_PROTOCOL, why, "", true);
    }

    /** Answers with the proxy's own words; afterwards the exchange is over. */
    private void reply(int status, String shown, String details, String body) {
        tally.details = details;
        local(status, shown, body, "", false);
    }

    private void local(int status, String shown, String body, String location, boolean refused) {
        worker.timers().cancel(pause);
        endTry(true);
        tally.code = status;
        tally.flags = shown;
        boolean asItIs = body.isEmpty() || body.endsWith("\n") || tally.details.equals(DIRECT) || body.equals(DENIED);
        byte[] text = (asItIs ? body : body + "\n").getBytes(StandardCharsets.UTF_8);
        tally.responseBytes = text.length;
        ForwardPlan chosen = routing.plan();
        HeaderProgram changes = chosen == null ? HeaderProgram.NONE : chosen.responseHeaders();
        client.local(status, text, location, changes, refused);
        finish();
    }

    /** Ends an exchange whose response has begun and cannot be completed. */
    private void fail() {
        endTry(true);
        report();
        client.abort();
    }

    private void finish() {
        report();
        client.done();
    }

    /** The exchange is over; whoever looks at the counts once the client has its answer finds it there. */
    private void report() {
        if (reported) {
            // The client went while it was given the end.
            return;
        }
        reported = true;
        phase = Phase.NONE;
        request.over();
        tries.over();
        long micros = (System.nanoTime() - tally.startNanos) / 1_000;
        Reporter.report(scope, client.peer(), client.held(), head, tally, routing, tries.last(), micros);
    }

    /** The client sends nothing more through a tunnel; it may still read. */
    public void clientEnded() {
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
            finish();
        }
    }

    /** The client has reset a tunnel: its server hears of that, too. */
    public void clientReset() {
        UpstreamStream to = tries.upstream();
        if (phase == Phase.TUNNEL && to != null) {
            to.reset();
        }
    }

    /** The client has gone. */
    public void downstreamGone() {
        if (phase == Phase.NONE) {
            return;
        }
        worker.timers().remove(pause);
        if (phase != Phase.TUNNEL) {
            tally.flag(Flags.CLIENT_GONE, "downstream_remote_disconnect");
            tally.code = phase == Phase.RESPONDING ? tally.code : 0;
        }
        endTry(true);
        finish();
    }

    /** The connection's deadline has passed. */
    public void timeout() {
        long now = System.nanoTime();
        if (deadlines.isOver(now)) {
            if (phase == Phase.CONNECTING || (phase == Phase.SENT && request.isComplete())) {
                tries.failed(client.channel());
            }
            if (phase == Phase.RESPONDING) {
                tally.flag(Flags.TIMEOUT, "response_timeout");
                fail();
            } else if (deadlines.isOnlyTry(now) && retriesReset() && beginRetry()) {
                armDeadline();
            } else {
                tally.flag(Flags.TIMEOUT, "response_timeout");
                reply(504, tally.flags, tally.details, "upstream request timeout");
            }
        } else if (phase == Phase.WAITING || deadlines.takeMoved()) {
            deadlines.forgive(now);
            armDeadline();
        } else if (phase == Phase.RESPONDING) {
            tally.flag(Flags.IDLE, "stream_idle_timeout");
            fail();
        } else {
            reply(request.isComplete() ? 504 : 408, Flags.IDLE, "stream_idle_timeout", "stream timeout");
        }
    }

    private void armDeadline() {
        client.deadline(deadlines.next());
    }

    /** True when bytes moved since the last question. */
    public boolean wasActive() {
        return deadlines.takeMoved();
    }
}
