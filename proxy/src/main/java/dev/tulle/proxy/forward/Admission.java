package dev.tulle.proxy.forward;

import dev.tulle.model.Verdict;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import org.jspecify.annotations.Nullable;

/** What the policies of an endpoint's workload say of one request, as that endpoint will read it. Loop-confined. */
final class Admission {
    private final RequestSide request;
    private final Routing routing;
    private final Peer peer;
    private final Tally tally;

    /** Counts what was asked, so that a late answer is known as one. */
    private long questions;

    Admission(Parts parts, RequestSide request) {
        this.request = request;
        this.routing = parts.routing();
        this.peer = parts.client().peer();
        this.tally = parts.tally();
    }

    /** What was asked before is of no interest any more. */
    void reset() {
        questions++;
    }

    /** The verdict; null while policies, or who the client is, are not known. */
    @Nullable
    Verdict verdict(EndpointPool of, ForwardPlan chosen) {
        return of.access().request(peer.source(), new SentRequest(request.head(), routing, chosen, peer));
    }

    /** Calls when a verdict can be had, unless something else was asked meanwhile. */
    void whenKnown(EndpointPool of, Runnable then) {
        questions++;
        long asked = questions;
        of.access().whenKnown(peer.source(), () -> {
            if (asked == questions) {
                then.run();
            }
        });
    }

    /** Notes that the request is refused, and why. */
    void denied(EndpointPool at, Verdict verdict) {
        at.access().denied(verdict);
        tally.flag(Flags.DENIED, verdict.details());
    }
}
