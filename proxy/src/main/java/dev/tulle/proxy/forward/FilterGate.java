package dev.tulle.proxy.forward;

import dev.tulle.model.RequestView;
import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.filter.FilterStream;
import dev.tulle.proxy.filter.GrpcCall;
import dev.tulle.proxy.filter.HttpFilter;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.upstream.ForwardPlan;
import java.util.random.RandomGenerator;

/** Where a request comes past the filters of its route: what they may do with it, and when they are asked. Loop-confined. */
final class FilterGate implements FilterStream {
    private final Worker worker;
    private final RequestHead head;
    private final boolean edge;
    private final Routing routing;
    private final FilterChain filters;
    private final Tally tally;
    private final OwnAnswer own;
    private final TimerWheel.Timer pause;

    /**
     * Of an exchange.
     *
     * @param waited called when the filter that holds the request back is to be asked again
     */
    FilterGate(Parts parts, OwnAnswer own, Runnable waited) {
        this.worker = parts.scope().upstreams().worker();
        this.head = parts.head();
        this.edge = parts.client().peer().edge();
        this.routing = parts.routing();
        this.filters = parts.filters();
        this.tally = parts.tally();
        this.own = own;
        this.pause = new TimerWheel.Timer() {
            @Override
            protected void expired() {
                waited.run();
            }
        };
    }

    /** Asks the filters of the request's route. */
    HttpFilter.Step ask(ForwardPlan plan) {
        return filters.request(plan.filters(head, edge), view(), this);
    }

    /** Asks the filter that holds the request back again, and then those behind it. */
    HttpFilter.Step askAgain() {
        return filters.resumed(view(), this);
    }

    /** The request as filters see it. */
    private RequestView view() {
        RequestView received = routing.received();
        return received == null ? head : received;
    }

    /** Nobody is waited for any more. */
    void stop() {
        worker.timers().cancel(pause);
    }

    /** The same, where no request may follow soon. */
    void forget() {
        worker.timers().remove(pause);
    }

    // ---- what a filter may do ----

    @Override
    public RandomGenerator random() {
        return worker.random();
    }

    @Override
    public void resumeAfter(long nanos) {
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
        own.bare(status, details);
    }

    @Override
    public void reply(int status, String flag, String details, String body) {
        own.reply(status, flag.isEmpty() ? tally.flags : Flags.join(tally.flags, flag), details, body);
    }
}
