package dev.tulle.proxy.forward;

import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.stream.Downstream;

/**
 * What all that have to do with one exchange share. Made once for all requests of a connection of HTTP/1. Loop-confined.
 *
 * @param scope what the connections of the loop share
 * @param client the request as its client's protocol has it
 * @param head of the request
 * @param routing the decision
 * @param filters of the route
 * @param deadlines how long everything may take
 * @param tally what is counted and logged
 */
record Parts(
        HttpScope scope,
        Downstream client,
        RequestHead head,
        Routing routing,
        FilterChain filters,
        Deadlines deadlines,
        Tally tally) {
    /** For the requests of a client. */
    static Parts of(HttpScope scope, Downstream client, RequestHead head) {
        return new Parts(scope, client, head, new Routing(), new FilterChain(), new Deadlines(), new Tally());
    }

    /** A deadline may have come nearer, or further away. */
    void armDeadline() {
        client.deadline(deadlines.next());
    }

    /** A request begins. */
    void reset(long now) {
        tally.reset(now);
        deadlines.reset(now);
        routing.reset();
        filters.reset();
    }
}
