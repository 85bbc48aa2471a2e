package dev.tulle.proxy.forward;

import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.filter.HttpFilter;
import dev.tulle.proxy.forward.ExchangeState.Event;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * One request and its response, from the decision to the report: decides ({@link Routing}), asks the filters
 * ({@link FilterGate}), answers by itself ({@link OwnAnswer}) or has it forwarded ({@link Forwarding}), and keeps time
 * ({@link Deadlines}) and account ({@link Tally}). Knows no protocol: the client's is behind {@link Downstream}. Reused for
 * all requests of a connection of HTTP/1. Loop-confined.
 */
public final class Exchange {
    private final Parts parts;
    private final Downstream client;
    private final Routing routing;
    private final Deadlines deadlines;
    private final Tally tally;
    private final OwnAnswer own;
    private final FilterGate gate;
    private final Forwarding forwarding;

    private ExchangeState state = ExchangeState.IDLE;
    private boolean reported;

    /** How it ends, for its parts. */
    private final Conclusion conclusion = new Conclusion() {
        @Override
        public void stop() {
            Exchange.this.stop();
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
        public void fail() {
            Exchange.this.fail();
        }
    };

    /**
     * For the requests of a client.
     *
     * @param head where the head of each is
     */
    public Exchange(HttpScope scope, Downstream client, RequestHead head) {
        this.parts = Parts.of(scope, client, head);
        this.client = client;
        this.routing = parts.routing();
        this.deadlines = parts.deadlines();
        this.tally = parts.tally();
        this.own = new OwnAnswer(parts, conclusion);
        this.gate = new FilterGate(parts, own, this::waited);
        this.forwarding = new Forwarding(parts, own, conclusion);
    }

    /** The first byte of a request has come. */
    public void requestBegins() {
        reported = false;
        parts.reset(System.nanoTime());
        forwarding.reset();
    }

    public long startNanos() {
        return tally.startNanos;
    }

    /**
     * Something happened.
     *
     * @throws IllegalStateException when it cannot happen where the request is; which has failed then
     */
    private void on(Event event) {
        ExchangeState at = state;
        ExchangeState next = at.after(event);
        if (next == null) {
            fail();
            throw new IllegalStateException(event + " where a request is " + at);
        }
        state = next;
    }

    // ---- decision ----

    /** The service has to be found from the request. */
    public void choose(ServiceChooser chooser) {
        on(Event.ASKED);
        forwarding.headRead();
        parts.armDeadline();
        chooser.choose(parts.head(), choice -> {
            if (state != ExchangeState.CHOOSING) {
                return;
            }
            OutboundService service = choice.service();
            if (service == null) {
                own.reply(404, Flags.NO_ROUTE, choice.refusal(), choice.refusal());
            } else {
                begin(service, choice.pathSkip(), choice.authority());
                client.resumeBody();
            }
        });
    }

    /** Decides on a complete head and acts. */
    public void begin(OutboundService service, int pathSkip, @Nullable String newAuthority) {
        forwarding.headRead();
        RouteDecision decided =
                routing.decide(parts.scope().upstreams(), service, parts.head(), client.peer(), pathSkip, newAuthority);
        if (decided == null) {
            own.reply(503, Flags.NO_CLUSTER, "no_configuration", "no configuration for " + service.name());
            return;
        }
        parts.armDeadline();
        ForwardPlan plan = routing.plan();
        filtered(plan == null ? HttpFilter.Step.CONTINUE : gate.ask(plan), decided);
    }

    /** The filter that holds the request back is asked again. */
    private void waited() {
        RouteDecision decided = routing.decision();
        if (state == ExchangeState.FILTERING && decided != null) {
            filtered(gate.askAgain(), decided);
            client.resumeBody();
        }
    }

    private void filtered(HttpFilter.Step step, RouteDecision decided) {
        switch (step) {
            case CONTINUE -> act(decided);
            case WAIT -> on(Event.HELD);
            case REPLIED -> {
                // The exchange is over.
            }
        }
    }

    private void act(RouteDecision decided) {
        ForwardPlan chosen = routing.plan();
        switch (decided.outcome()) {
            case NO_ROUTE -> own.reply(404, Flags.NO_ROUTE, "route_not_found", "");
            case DIRECT_RESPONSE -> {
                if (chosen != null && chosen.route().action() instanceof RouteAction.DirectResponse direct) {
                    own.direct(direct);
                }
            }
            case REDIRECT -> {
                if (chosen != null && chosen.route().action() instanceof RouteAction.Redirect redirect) {
                    own.redirect(redirect);
                }
            }
            case FORWARD -> {
                WorkerCluster target = chosen == null ? null : chosen.cluster();
                if (chosen == null || target == null) {
                    int status = chosen == null ? 503 : chosen.notFound();
                    own.reply(status, Flags.NO_CLUSTER, "cluster_not_found", "no such cluster");
                    return;
                }
                on(Event.FORWARDED);
                forwarding.forward(target, chosen, decided);
            }
        }
    }

    /** Goes on with a request that the kernel has decided on and sent. */
    public void take(OutboundService service, UpstreamConnection from, TakenRequest taken) {
        on(Event.FORWARDED);
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
        if (isResponding()) {
            tally.flag(Flags.DOWNSTREAM_PROTOCOL, details);
            fail();
        } else {
            own.reply(400, Flags.DOWNSTREAM_PROTOCOL, details, why);
        }
    }

    /** True while the answer passes: what goes wrong now is seen by the client. */
    private boolean isResponding() {
        return forwarding.state() == ForwardState.RESPONDING;
    }

    // ---- ends ----

    /** A request that is not forwarded because of what it is. */
    public void refuse(int status, String why) {
        own.refuse(status, why);
    }

    private void stop() {
        gate.stop();
        forwarding.stop();
    }

    /** Ends an exchange whose response has begun and cannot be completed. */
    private void fail() {
        stop();
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
        on(Event.OVER);
        forwarding.over();
        Reporter.report(parts, forwarding.last(), (System.nanoTime() - tally.startNanos) / 1_000);
    }

    /** The client has gone. */
    public void downstreamGone() {
        if (state == ExchangeState.IDLE) {
            return;
        }
        gate.forget();
        if (forwarding.state() != ForwardState.TUNNEL) {
            tally.flag(Flags.CLIENT_GONE, "downstream_remote_disconnect");
            tally.code = isResponding() ? tally.code : 0;
        }
        forwarding.stop();
        finish();
    }

    /** The connection's deadline has passed. */
    public void timeout() {
        long now = System.nanoTime();
        if (deadlines.isOver(now)) {
            forwarding.timedOut();
            if (isResponding()) {
                tally.flag(Flags.TIMEOUT, "response_timeout");
                fail();
            } else if (deadlines.isOnlyTry(now) && forwarding.retriesLate()) {
                parts.armDeadline();
            } else {
                tally.flag(Flags.TIMEOUT, "response_timeout");
                own.reply(504, tally.flags, tally.details, "upstream request timeout");
            }
        } else if (isPaused() || deadlines.takeMoved()) {
            deadlines.forgive(now);
            parts.armDeadline();
        } else if (isResponding()) {
            tally.flag(Flags.IDLE, "stream_idle_timeout");
            fail();
        } else {
            own.reply(forwarding.isComplete() ? 504 : 408, Flags.IDLE, "stream_idle_timeout", "stream timeout");
        }
    }

    /** True while nothing moves because the proxy itself waits. */
    private boolean isPaused() {
        return state == ExchangeState.FILTERING || forwarding.state() == ForwardState.WAITING;
    }

    /** True when bytes moved since the last question. */
    public boolean wasActive() {
        return deadlines.takeMoved();
    }
}
