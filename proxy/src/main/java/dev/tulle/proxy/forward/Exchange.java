package dev.tulle.proxy.forward;

import dev.tulle.model.RequestView;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.filter.FilterStream;
import dev.tulle.proxy.filter.GrpcCall;
import dev.tulle.proxy.filter.HttpFilter;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http2.GrpcStatus;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * One request and its response, from the decision to the report: decides ({@link Routing}), asks the filters, answers by
 * itself or has it forwarded ({@link Forwarding}), and keeps time ({@link Deadlines}) and account ({@link Tally}). Knows no
 * protocol: the client's is behind {@link Downstream}. Reused for all requests of a connection of HTTP/1. Loop-confined.
 */
public final class Exchange {
    private enum Phase {
        /** No request, or one whose head is still being read. */
        NONE,
        CHOOSING,
        /** A filter holds the request back. */
        FILTERING,
        /** Decided: it is forwarded. */
        FORWARDING
    }

    private static final String DENIED = "RBAC: access denied";
    private static final String DIRECT = "direct_response";

    /** A server that keeps a call's deadline by itself may end it so much before us, by a reset. */
    private static final long MOMENT = TimeUnit.MILLISECONDS.toNanos(100);

    private final HttpScope scope;
    private final Worker worker;
    private final Downstream client;
    private final RequestHead head;
    private final Routing routing = new Routing();
    private final Deadlines deadlines = new Deadlines();
    private final Tally tally = new Tally();
    private final FilterChain filters = new FilterChain();
    private final Forwarding forwarding;
    private final TimerWheel.Timer pause = new TimerWheel.Timer() {
        @Override
        protected void expired() {
            pauseOver();
        }
    };

    /** What filters may do with the request. */
    private final FilterStream way = new FilterStream() {
        @Override
        public RandomGenerator random() {
            return worker.random();
        }

        @Override
        public void resumeAfter(long nanos) {
            phase = Phase.FILTERING;
            worker.timers().set(pause, System.nanoTime() + nanos);
        }

        @Override
        public void reports(GrpcCall call) {
            tally.grpc = call;
        }

        @Override
        public void flag(String flag) {
            tally.flag(flag);
        }

        @Override
        public void answer(int status, String details) {
            tally.details = details;
            local(status, tally.flags, "", "", HeaderProgram.NONE, false);
        }

        @Override
        public void reply(int status, String flag, String details, String body) {
            Exchange.this.reply(status, flag.isEmpty() ? tally.flags : Flags.join(tally.flags, flag), details, body);
        }
    };

    /** What the client gets in place of an answer. */
    private final Forwarding.Owner owner = new Forwarding.Owner() {
        @Override
        public void reply(int status, String flags, String details, String body) {
            Exchange.this.reply(status, flags, details, body);
        }

        @Override
        public void deny() {
            local(403, tally.flags, DENIED, "", false);
        }

        @Override
        public void fail() {
            Exchange.this.fail();
        }

        @Override
        public void finish() {
            Exchange.this.finish();
        }

        @Override
        public void finishByReset() {
            report();
            client.reset();
        }

        @Override
        public void armDeadline() {
            Exchange.this.armDeadline();
        }
    };

    private Phase phase = Phase.NONE;
    private boolean reported;

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
        this.forwarding = new Forwarding(scope, owner, client, head, routing, filters, deadlines, tally);
    }

    /** The first byte of a request has come. */
    public void requestBegins() {
        phase = Phase.NONE;
        reported = false;
        long now = System.nanoTime();
        tally.reset(now);
        deadlines.reset(now);
        routing.reset();
        filters.reset();
        forwarding.reset();
    }

    public long startNanos() {
        return tally.startNanos;
    }

    // ---- decision ----

    /** The service has to be found from the request. */
    public void choose(ServiceChooser chooser) {
        phase = Phase.CHOOSING;
        forwarding.headRead();
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
        forwarding.headRead();
        RouteDecision decided = routing.decide(scope.upstreams(), service, head, client.peer(), pathSkip, newAuthority);
        if (decided == null) {
            reply(503, Flags.NO_CLUSTER, "no_configuration", "no configuration for " + service.name());
            return;
        }
        armDeadline();
        ForwardPlan plan = routing.plan();
        if (plan == null
                || filters.request(plan.filters(head.isHttp2() && head.isGrpc()), view(), way)
                        == HttpFilter.Step.CONTINUE) {
            act(decided);
        }
    }

    /** The request as filters see it. */
    private RequestView view() {
        RequestView received = routing.received();
        return received == null ? head : received;
    }

    /** The filter that holds the request back is asked again. */
    private void pauseOver() {
        RouteDecision decided = routing.decision();
        if (phase == Phase.FILTERING && decided != null) {
            if (filters.resumed(view(), way) == HttpFilter.Step.CONTINUE) {
                act(decided);
            }
            client.resumeBody();
        }
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
                phase = Phase.FORWARDING;
                forwarding.forward(target, chosen, decided);
            }
        }
    }

    /** Goes on with a request that the kernel has decided on and sent. */
    public void take(OutboundService service, UpstreamConnection from, TakenRequest taken) {
        phase = Phase.FORWARDING;
        forwarding.take(service, from, taken);
    }

    // ---- what passes ----

    /** True when body bytes can be taken now. */
    public boolean takesBody() {
        return forwarding.takesBody();
    }

    /** A piece of the request's body, or of what the client sends through a tunnel. */
    public void requestData(ByteBuf data) {
        forwarding.requestData(data);
    }

    /**
     * The request's body is complete.
     *
     * @param trailers lines that follow it, each with its end
     */
    public void requestEnd(byte[] trailers) {
        forwarding.requestEnd(trailers);
    }

    /** End of a batch of reads from the client. */
    public void flushUpstream() {
        forwarding.flushUpstream();
    }

    /** The client takes more bytes again, or no more for now. */
    public void downstreamWritability(boolean writable) {
        forwarding.downstreamWritability(writable);
    }

    /** The client sends nothing more through a tunnel; it may still read. */
    public void clientEnded() {
        forwarding.clientEnded();
    }

    /** The client has reset a tunnel: its server hears of that, too. */
    public void clientReset() {
        forwarding.clientReset();
    }

    /** The request's body broke the rules: nothing of it can be trusted. */
    public void requestBroken(String why) {
        String details = "malformed_request_body";
        if (forwarding.isResponding()) {
            tally.flag(Flags.DOWNSTREAM_PROTOCOL, details);
            fail();
        } else {
            reply(400, Flags.DOWNSTREAM_PROTOCOL, details, why);
        }
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
        ForwardPlan chosen = routing.plan();
        HeaderProgram changes = chosen == null ? HeaderProgram.NONE : chosen.responseHeaders();
        local(status, shown, body, location, changes, refused);
    }

    private void local(int status, String shown, String body, String location, HeaderProgram changes, boolean refused) {
        worker.timers().cancel(pause);
        forwarding.stop();
        tally.code = status;
        tally.flags = shown;
        int grpc = GrpcStatus.of(status);
        if (tally.grpc != null) {
            if (status >= 500 && deadlines.isOfCall(System.nanoTime() + MOMENT)) {
                grpc = GrpcStatus.DEADLINE_EXCEEDED;
            }
            tally.grpc.status(grpc);
            grpc = tally.grpc.status();
        }
        boolean asItIs = body.isEmpty() || body.endsWith("\n") || tally.details.equals(DIRECT) || body.equals(DENIED);
        byte[] text = (asItIs ? body : body + "\n").getBytes(StandardCharsets.UTF_8);
        tally.responseBytes = text.length;
        client.local(status, grpc, text, location, filters.responseChanges(changes), refused);
        finish();
    }

    /** Ends an exchange whose response has begun and cannot be completed. */
    private void fail() {
        forwarding.stop();
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
        forwarding.over();
        long micros = (System.nanoTime() - tally.startNanos) / 1_000;
        Reporter.report(scope, client.peer(), client.held(), head, tally, routing, forwarding.last(), micros);
    }

    /** The client has gone. */
    public void downstreamGone() {
        if (phase == Phase.NONE) {
            return;
        }
        worker.timers().remove(pause);
        if (!forwarding.isTunnel()) {
            tally.flag(Flags.CLIENT_GONE, "downstream_remote_disconnect");
            tally.code = forwarding.isResponding() ? tally.code : 0;
        }
        forwarding.stop();
        finish();
    }

    /** The connection's deadline has passed. */
    public void timeout() {
        long now = System.nanoTime();
        if (deadlines.isOver(now)) {
            forwarding.timedOut();
            if (forwarding.isResponding()) {
                tally.flag(Flags.TIMEOUT, "response_timeout");
                fail();
            } else if (deadlines.isOnlyTry(now) && forwarding.retriesLate()) {
                armDeadline();
            } else {
                tally.flag(Flags.TIMEOUT, "response_timeout");
                reply(504, tally.flags, tally.details, "upstream request timeout");
            }
        } else if (phase == Phase.FILTERING || forwarding.isPausing() || deadlines.takeMoved()) {
            deadlines.forgive(now);
            armDeadline();
        } else if (forwarding.isResponding()) {
            tally.flag(Flags.IDLE, "stream_idle_timeout");
            fail();
        } else {
            reply(forwarding.isComplete() ? 504 : 408, Flags.IDLE, "stream_idle_timeout", "stream timeout");
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
