package dev.tulle.proxy.http;

import dev.tulle.model.RequestView;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.HeaderProgram;
import dev.tulle.proxy.upstream.ServiceView;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One request and its response: decision, fault, endpoint, forwarding, retries, answer. Reused for all requests of a
 * connection. Loop-confined.
 */
final class Exchange implements UpstreamUser {
    private static final long IDLE_TIMEOUT = TimeUnit.MINUTES.toNanos(5);
    private static final long BACKOFF_MILLIS = 25;
    private static final long NEVER = Long.MAX_VALUE;
    private static final byte[] CRLF = {'\r', '\n'};
    private static final byte[] LAST_CHUNK = {'0', '\r', '\n', '\r', '\n'};
    private static final byte[] CONTINUE = FieldName.lower("HTTP/1.1 100 Continue\r\n\r\n");

    private enum Phase {
        /** No request, or one whose head is still being read. */
        NONE,
        CHOOSING,
        /** Waiting on purpose: an injected delay, or the pause before a retry. */
        WAITING,
        CONNECTING,
        SENT,
        RESPONDING,
        TUNNEL
    }

    private final HttpScope scope;
    private final Worker worker;
    private final HttpConnection connection;
    private final RequestHead head;
    private final ReplayBuffer replay = new ReplayBuffer();
    private final TimerWheel.Timer pause = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pauseOver();
        }
    };

    private Phase phase = Phase.NONE;
    private @Nullable ServiceView view;
    private @Nullable RouteDecision decision;
    private @Nullable ForwardPlan plan;
    private @Nullable WorkerCluster cluster;
    private @Nullable EndpointPool pool;
    private @Nullable EndpointPool lastPool;
    private @Nullable UpstreamConnection upstream;
    private @Nullable String path;
    private @Nullable String authority;

    private long startNanos;
    private long routeDeadline;
    private long tryDeadline;
    private long upstreamNanos;
    private long requestBytes;
    private long responseBytes;
    private int tries;
    private int code;
    private String flags = Flags.NONE;
    private String details = "";
    private boolean requestComplete;
    private boolean keepAlive;
    private boolean chunkedOut;
    private boolean retrying;
    private boolean staleRetried;
    private boolean active;

    Exchange(HttpScope scope, HttpConnection connection, RequestHead head) {
        this.scope = scope;
        this.worker = scope.upstreams().worker();
        this.connection = connection;
        this.head = head;
    }

    /** The first byte of a request has come. */
    void requestBegins() {
        startNanos = System.nanoTime();
        phase = Phase.NONE;
        view = null;
        decision = null;
        plan = null;
        cluster = null;
        pool = null;
        lastPool = null;
        path = null;
        authority = null;
        routeDeadline = NEVER;
        tryDeadline = NEVER;
        upstreamNanos = -1;
        requestBytes = 0;
        responseBytes = 0;
        tries = 0;
        code = 0;
        flags = Flags.NONE;
        details = "";
        requestComplete = false;
        chunkedOut = false;
        retrying = false;
        staleRetried = false;
        active = false;
    }

    long startNanos() {
        return startNanos;
    }

    // ---- decision ----

    /** The service has to be found from the request. */
    void choose(ServiceChooser chooser) {
        phase = Phase.CHOOSING;
        requestComplete = !head.hasBody();
        armDeadline();
        chooser.choose(head, choice -> {
            if (phase != Phase.CHOOSING) {
                return;
            }
            OutboundService service = choice.service();
            if (service == null) {
                details = choice.refusal();
                reply(404, Flags.NO_ROUTE, choice.refusal(), "");
            } else {
                begin(service, choice.pathSkip(), choice.authority());
                connection.resumeBody();
            }
        });
    }

    /** Decides on a complete head and acts. */
    void begin(OutboundService service, int pathSkip, @Nullable String newAuthority) {
        requestComplete = !head.hasBody();
        ServiceView current = scope.upstreams().view(service);
        view = current;
        if (current == null || current.snapshot().routes() == null) {
            details = "no_configuration";
            reply(503, Flags.NO_CLUSTER, "no configuration for " + service.name(), "");
            return;
        }
        RequestView request = head;
        String host = newAuthority;
        if (pathSkip > 0) {
            String rest = head.path().substring(pathSkip);
            path = rest.isEmpty() ? "/" : rest;
        }
        if (host == null && head.authorityStart() == head.authorityEnd()) {
            // HTTP/1.0 without Host: the address that was dialled is as good a name.
            host = current.snapshot().listener().hostname();
        }
        authority = host;
        if (path != null || host != null) {
            request = new OverriddenRequest(
                    head, path == null ? head.path() : path, host == null ? head.authority() : host);
        }
        RouteDecision decided = current.snapshot().routes().decide(request, worker.random());
        decision = decided;
        if (decided.route() != null) {
            ForwardPlan chosen = current.plan(decided);
            plan = chosen;
            if (chosen.timeoutNanos() > 0) {
                routeDeadline = startNanos + chosen.timeoutNanos();
            }
            if (chosen.rewriter() != null) {
                path = chosen.rewriter().apply(request.path());
            }
            if (chosen.authority() != null) {
                authority = chosen.authority();
            }
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
            flags = Flags.join(flags, Flags.DELAYED);
            phase = Phase.WAITING;
            worker.timers().set(pause, System.nanoTime() + delay);
        } else {
            afterDelay(decided);
        }
    }

    private void afterDelay(RouteDecision decided) {
        int abort = decided.fault().abortStatus();
        if (abort > 0) {
            details = "fault_filter_abort";
            reply(abort, Flags.join(flags, Flags.ABORTED), "fault filter abort", "");
        } else {
            act(decided);
        }
    }

    private void pauseOver() {
        RouteDecision decided = decision;
        if (phase != Phase.WAITING || decided == null) {
            return;
        }
        if (tries == 0) {
            afterDelay(decided);
        } else {
            tryEndpoint(false);
        }
        connection.resumeBody();
    }

    private void act(RouteDecision decided) {
        ForwardPlan chosen = plan;
        switch (decided.outcome()) {
            case NO_ROUTE -> {
                details = "route_not_found";
                reply(404, Flags.NO_ROUTE, "", "");
            }
            case DIRECT_RESPONSE -> {
                if (chosen != null && chosen.route().action() instanceof RouteAction.DirectResponse direct) {
                    details = "direct_response";
                    reply(direct.status(), flags, direct.body(), "");
                }
            }
            case REDIRECT -> {
                if (chosen != null && chosen.route().action() instanceof RouteAction.Redirect redirect) {
                    details = "direct_response";
                    String to = Redirects.location(redirect, head, path, authority);
                    reply(redirect.status(), flags, "", "location: " + to + "\r\n");
                }
            }
            case FORWARD -> {
                WorkerCluster target = chosen == null ? null : chosen.cluster();
                if (chosen == null || target == null) {
                    details = "cluster_not_found";
                    reply(503, Flags.NO_CLUSTER, "no such cluster", "");
                    return;
                }
                cluster = target;
                target.activeChanged(1);
                replay.begin(
                        worker.allocator(),
                        chosen.retriesResponses() || !decided.mirrors().isEmpty());
                if (!decided.mirrors().isEmpty() && requestComplete) {
                    mirror(decided, chosen);
                }
                if (head.expectsContinue() && !requestComplete) {
                    connection.out().add(worker.sink().put(CONTINUE), 0);
                    if (!connection.isReading()) {
                        connection.out().flush();
                    }
                }
                tryEndpoint(false);
            }
        }
    }

    private void mirror(RouteDecision decided, ForwardPlan chosen) {
        for (RouteAction.Mirror mirror : decided.mirrors()) {
            WorkerCluster target = chosen.mirrors().get(mirror.cluster());
            if (target != null && replay.isWhole()) {
                MirrorRequest.send(worker, target, head, path, authority, chosen.requestHeaders(), replay);
            }
        }
    }

    // ---- toward the endpoint ----

    private void tryEndpoint(boolean fresh) {
        WorkerCluster target = cluster;
        ForwardPlan chosen = plan;
        if (target == null || chosen == null) {
            return;
        }
        EndpointPool picked = fresh && lastPool != null ? lastPool : target.pick(lastPool);
        if (picked == null) {
            details = "no_healthy_upstream";
            reply(503, Flags.NO_HEALTHY, "no healthy upstream", "");
            return;
        }
        if (picked.isOverflowing()) {
            details = "upstream_overflow";
            reply(503, Flags.OVERFLOW, "upstream connect error: too many connections and pending requests", "");
            return;
        }
        tries++;
        pool = picked;
        picked.activeChanged(1);
        if (chosen.perTryNanos() > 0) {
            tryDeadline = System.nanoTime() + chosen.perTryNanos();
            armDeadline();
        }
        phase = Phase.CONNECTING;
        UpstreamConnection ready = picked.acquire(this, fresh);
        if (ready != null) {
            send(ready, chosen);
            if (!connection.isReading()) {
                ready.out().flush();
            }
        }
    }

    @Override
    public void connected(UpstreamConnection made) {
        EndpointPool from = pool;
        ForwardPlan chosen = plan;
        if (phase != Phase.CONNECTING || from == null || chosen == null) {
            made.abandon();
            return;
        }
        send(made, chosen);
        connection.resumeBody();
        UpstreamConnection now = upstream;
        if (now != null) {
            now.out().flush();
        }
    }

    private void send(UpstreamConnection to, ForwardPlan chosen) {
        upstream = to;
        phase = Phase.SENT;
        to.begin(this, head.isHead(), head.isUpgrade());
        ByteSink sink = worker.sink();
        HeadWriter.request(sink, head, path, authority, chosen.requestHeaders(), worker.random());
        Outgoing out = to.out();
        out.add(sink, 0);
        ByteBuf kept = replay.copy();
        if (kept != null) {
            writeBody(out, kept);
            if (requestComplete && head.isChunked()) {
                out.add(worker.sink().put(LAST_CHUNK), 0);
            }
        }
    }

    /** True when body bytes can be taken now. */
    boolean takesBody() {
        UpstreamConnection to = upstream;
        return switch (phase) {
            case SENT, RESPONDING -> to != null && to.channel().isWritable();
            default -> false;
        };
    }

    /** A piece of the request's body, or of what the client sends through a tunnel. */
    void requestData(ByteBuf data) {
        active = true;
        requestBytes += data.readableBytes();
        UpstreamConnection to = upstream;
        if (to == null) {
            data.release();
            return;
        }
        if (phase != Phase.TUNNEL) {
            replay.add(data);
        }
        writeBody(to.out(), data);
        if (!connection.isReading()) {
            to.out().flush();
        }
    }

    private void writeBody(Outgoing out, ByteBuf data) {
        if (head.isChunked()) {
            chunk(out, data);
        } else {
            out.add(data);
        }
    }

    private void chunk(Outgoing out, ByteBuf data) {
        int n = data.readableBytes();
        if (n == 0) {
            data.release();
            return;
        }
        out.add(worker.sink().putHex(n).put(CRLF), n + 2);
        out.add(data);
        out.add(worker.sink().put(CRLF), 0);
    }

    /** The request's body is complete. */
    void requestEnd() {
        requestComplete = true;
        UpstreamConnection to = upstream;
        if (to != null && head.isChunked()) {
            to.out().add(worker.sink().put(LAST_CHUNK), 0);
        }
        RouteDecision decided = decision;
        ForwardPlan chosen = plan;
        if (decided != null && chosen != null && !decided.mirrors().isEmpty()) {
            mirror(decided, chosen);
        }
        flushUpstream();
    }

    /** End of a batch of reads from the client. */
    void flushUpstream() {
        UpstreamConnection to = upstream;
        if (to != null && !to.out().flush() && (!requestComplete || phase == Phase.TUNNEL)) {
            connection.pauseBody();
        }
    }

    /** The request's body broke the rules: nothing of it can be trusted. */
    void requestBroken(String why) {
        details = "malformed_request_body";
        if (phase == Phase.RESPONDING) {
            flags = Flags.join(flags, Flags.DOWNSTREAM_PROTOCOL);
            fail();
        } else {
            reply(400, Flags.DOWNSTREAM_PROTOCOL, why, "");
        }
    }

    @Override
    public void connectFailed(String reason) {
        ForwardPlan chosen = plan;
        if (chosen != null && chosen.retriesConnectFailure() && beginRetry()) {
            return;
        }
        details = "upstream_connect_failure";
        String shown = tries > 1 ? Flags.join(Flags.CONNECT_FAILED, Flags.RETRIES_USED_UP) : Flags.CONNECT_FAILED;
        reply(503, Flags.join(flags, shown), "upstream connect error: " + reason, "");
    }

    /** Schedules another try if policy and budget allow. */
    private boolean beginRetry() {
        ForwardPlan chosen = plan;
        WorkerCluster target = cluster;
        if (chosen == null || target == null || tries > chosen.retries() || !replay.isWhole()) {
            return false;
        }
        if (!retrying && !target.beginRetry()) {
            return false;
        }
        // The place in the budget is kept from retry to retry.
        retrying = false;
        endTry(true);
        retrying = true;
        phase = Phase.WAITING;
        long bound = BACKOFF_MILLIS << Math.min(tries - 1, 6);
        worker.timers().set(pause, System.nanoTime() + worker.random().nextLong(TimeUnit.MILLISECONDS.toNanos(bound)));
        return true;
    }

    /** The current try is over: its endpoint is left. */
    private void endTry(boolean failed) {
        EndpointPool left = pool;
        if (left != null) {
            left.activeChanged(-1);
            if (phase == Phase.CONNECTING) {
                left.cancel(this);
            }
            lastPool = left;
            pool = null;
        }
        UpstreamConnection to = upstream;
        if (to != null) {
            upstream = null;
            if (failed || !requestComplete) {
                to.abandon();
            }
        }
        if (retrying && cluster != null) {
            retrying = false;
            cluster.endRetry();
        }
        tryDeadline = NEVER;
    }

    // ---- from the endpoint ----

    @Override
    public void interim(ResponseHead interim) {
        if (head.minorVersion() == 1 && interim.code() != 100) {
            ByteSink sink = worker.sink();
            HeadWriter.response(sink, interim, -1, false, false, false, HeaderProgram.NONE);
            connection.out().add(sink, 0);
        }
    }

    @Override
    public void responseHead(ResponseHead answer, int following) {
        ForwardPlan chosen = plan;
        UpstreamConnection from = upstream;
        if (chosen == null || from == null) {
            return;
        }
        code = answer.code();
        upstreamNanos = System.nanoTime();
        active = true;
        if (chosen.retriesResponses() && chosen.retriesCode(code) && beginRetry()) {
            return;
        }
        boolean tunnel = code == 101;
        phase = tunnel ? Phase.TUNNEL : Phase.RESPONDING;
        // A client that is still sending may not read before it has sent; it is told that this is the end.
        keepAlive = requestComplete
                && head.keepsAlive()
                && (!head.isUpgrade() || tunnel)
                && !scope.draining().getAsBoolean();
        boolean bodyless = answer.isBodyless(head.isHead());
        long length = -1;
        if (!bodyless) {
            length = answer.isChunked() ? -1 : answer.contentLength();
            chunkedOut = length < 0 && head.minorVersion() == 1;
            keepAlive &= length >= 0 || chunkedOut;
        } else if (code != 204 && !tunnel) {
            length = answer.contentLength();
        }
        ByteSink sink = worker.sink();
        HeadWriter.response(
                sink,
                answer,
                length,
                chunkedOut,
                !keepAlive,
                keepAlive && head.minorVersion() == 0,
                chosen.responseHeaders());
        connection.out().add(sink, bodyless ? 0 : following);
        if (tunnel) {
            connection.becomeTunnel();
        }
    }

    @Override
    public void responseData(ByteBuf data) {
        active = true;
        responseBytes += data.readableBytes();
        if (phase != Phase.RESPONDING && phase != Phase.TUNNEL) {
            data.release();
        } else if (chunkedOut) {
            chunk(connection.out(), data);
        } else {
            connection.out().add(data);
        }
    }

    @Override
    public void readComplete() {
        if (!connection.out().flush()) {
            UpstreamConnection from = upstream;
            if (from != null) {
                from.read(false);
            }
        }
    }

    /** The client takes more bytes again, or no more for now. */
    void downstreamWritability(boolean writable) {
        UpstreamConnection from = upstream;
        if (from != null && writable) {
            from.read(true);
        }
    }

    @Override
    public void upstreamWritability(boolean writable) {
        if (writable && (!requestComplete || phase == Phase.TUNNEL)) {
            connection.resumeBody();
        }
    }

    @Override
    public void responseEnd() {
        if (chunkedOut) {
            connection.out().add(worker.sink().put(LAST_CHUNK), 0);
        }
        UpstreamConnection from = upstream;
        if (from != null) {
            from.read(true);
            // A server that ignores the body of a GET would read it as its next request: not on our connection.
            from.finish(requestComplete && !(head.hasBody() && head.isBodyUnusual()));
        }
        upstream = null;
        keepAlive &= requestComplete;
        endTry(false);
        finish(keepAlive);
    }

    @Override
    public void upstreamBroken(String reason, boolean malformed, boolean untouched) {
        upstream = null;
        if (phase == Phase.TUNNEL) {
            endTry(true);
            finish(false);
            return;
        }
        if (phase == Phase.RESPONDING) {
            // The client must see that the response is not whole.
            flags = Flags.join(flags, Flags.UPSTREAM_CLOSED);
            details = "upstream_reset_after_response_started";
            fail();
            return;
        }
        if (untouched && !staleRetried && replay.isWhole() && head.isIdempotent()) {
            // The server closed the idle connection just when it was used again: not a failure of the request.
            staleRetried = true;
            tries--;
            endTry(true);
            tryEndpoint(true);
            return;
        }
        ForwardPlan chosen = plan;
        if (chosen != null && chosen.retriesReset() && beginRetry()) {
            return;
        }
        details = malformed ? "upstream_protocol_error" : "upstream_reset_before_response_started";
        reply(
                malformed ? 502 : 503,
                Flags.join(flags, malformed ? Flags.UPSTREAM_PROTOCOL : Flags.UPSTREAM_CLOSED),
                "upstream connect error or disconnect/reset before headers: " + reason,
                "");
    }

    // ---- ends ----

    /** A request that is not forwarded because of what it is. */
    void refuse(int status, String why) {
        details = why;
        keepAlive = false;
        reply(status, Flags.DOWNSTREAM_PROTOCOL, why, "connection: close\r\n");
    }

    /** Answers with the proxy's own words; afterwards the exchange is over. */
    private void reply(int status, String shown, String body, String extra) {
        worker.timers().cancel(pause);
        endTry(true);
        boolean refused = extra.startsWith("connection: close");
        keepAlive = requestComplete
                && !refused
                && head.keepsAlive()
                && !head.isUpgrade()
                && !scope.draining().getAsBoolean();
        code = status;
        flags = shown;
        String text = body.isEmpty() || body.endsWith("\n") ? body : body + "\n";
        if (details.equals("direct_response")) {
            text = body;
        }
        ByteSink sink = worker.sink();
        HeadWriter.local(sink, status, text, refused ? "" : extra, !keepAlive, head.isHead());
        connection.out().add(sink, 0);
        responseBytes = text.length();
        finish(keepAlive);
    }

    /** Ends an exchange whose response has begun and cannot be completed. */
    private void fail() {
        endTry(true);
        connection.abort();
        finish(false);
    }

    private void finish(boolean keep) {
        phase = Phase.NONE;
        replay.clear();
        if (cluster != null) {
            cluster.activeChanged(-1);
        }
        Reporter.report(scope, connection.peer(), head, this, (System.nanoTime() - startNanos) / 1_000);
        connection.exchangeDone(keep);
    }

    /** The client has gone. */
    void downstreamGone() {
        if (phase == Phase.NONE) {
            return;
        }
        worker.timers().remove(pause);
        if (phase != Phase.TUNNEL) {
            flags = Flags.join(flags, Flags.CLIENT_GONE);
            details = "downstream_remote_disconnect";
            code = phase == Phase.RESPONDING ? code : 0;
        }
        endTry(true);
        finish(false);
    }

    /** The connection's deadline has passed. */
    void timeout() {
        long now = System.nanoTime();
        if (now >= routeDeadline || now >= tryDeadline) {
            if (phase == Phase.RESPONDING) {
                flags = Flags.join(flags, Flags.TIMEOUT);
                details = "response_timeout";
                fail();
                return;
            }
            boolean onlyTry = now < routeDeadline;
            if (onlyTry && beginRetry()) {
                armDeadline();
                return;
            }
            details = "response_timeout";
            reply(504, Flags.join(flags, Flags.TIMEOUT), "upstream request timeout", "");
        } else if (active || phase == Phase.WAITING) {
            active = false;
            armDeadline();
        } else if (phase == Phase.RESPONDING) {
            flags = Flags.join(flags, Flags.IDLE);
            details = "stream_idle_timeout";
            fail();
        } else {
            details = "stream_idle_timeout";
            reply(requestComplete ? 504 : 408, Flags.IDLE, "stream timeout", "");
        }
    }

    private void armDeadline() {
        long idle = (active ? System.nanoTime() : startNanos) + IDLE_TIMEOUT;
        connection.deadline(Math.min(Math.min(routeDeadline, tryDeadline), idle));
    }

    /** True when bytes moved since the last question. */
    boolean wasActive() {
        boolean was = active;
        active = false;
        return was;
    }

    // ---- for the report ----

    @Nullable
    ServiceView view() {
        return view;
    }

    @Nullable
    RouteDecision decision() {
        return decision;
    }

    @Nullable
    EndpointPool endpoint() {
        return lastPool;
    }

    String clusterName() {
        ForwardPlan chosen = plan;
        return chosen == null ? "" : chosen.clusterName();
    }

    int code() {
        return code;
    }

    String flags() {
        return flags;
    }

    String details() {
        return details;
    }

    long requestBytes() {
        return requestBytes;
    }

    long responseBytes() {
        return responseBytes;
    }

    long upstreamMicros() {
        return upstreamNanos < 0 ? -1 : (upstreamNanos - startNanos) / 1_000;
    }
}
