package dev.tulle.proxy.forward;

import dev.tulle.model.RouteAction;
import dev.tulle.proxy.filter.FilterChain;
import dev.tulle.proxy.filter.GrpcCall;
import dev.tulle.proxy.filter.LocalAnswer;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http2.GrpcStatus;
import dev.tulle.proxy.stream.Downstream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/**
 * What the client gets in place of an endpoint's answer: the proxy's own words, for a call of gRPC as its status. After each
 * the exchange is over. Loop-confined.
 */
final class OwnAnswer {
    private static final String DENIED = "RBAC: access denied";
    private static final String DIRECT = "direct_response";

    /** A server that keeps a call's deadline by itself may end it so much before us, by a reset. */
    private static final long MOMENT = TimeUnit.MILLISECONDS.toNanos(100);

    private final Downstream client;
    private final RequestHead head;
    private final Routing routing;
    private final FilterChain filters;
    private final Deadlines deadlines;
    private final Tally tally;
    private final Conclusion conclusion;

    OwnAnswer(Parts parts, Conclusion conclusion) {
        this.client = parts.client();
        this.head = parts.head();
        this.routing = parts.routing();
        this.filters = parts.filters();
        this.deadlines = parts.deadlines();
        this.tally = parts.tally();
        this.conclusion = conclusion;
    }

    /**
     * Something went wrong.
     *
     * @param flags Envoy's, as they are reported
     * @param details the reason in one word, as Envoy names it
     * @param body for people; empty for none
     */
    void reply(int status, String flags, String details, String body) {
        tally.details = details;
        give(status, flags, body, "", routing.responseChanges(), false);
    }

    /** A policy refuses the request; why is in the tally. */
    void deny() {
        give(403, tally.flags, DENIED, "", routing.responseChanges(), false);
    }

    /** The request is not forwarded because of what it is, and nothing after it can be trusted. */
    void refuse(int status, String why) {
        tally.details = why;
        give(status, Flags.DOWNSTREAM_PROTOCOL, why, "", routing.responseChanges(), true);
    }

    /** A filter answers with a bare head, of which only the filters change something. */
    void bare(int status, String details) {
        tally.details = details;
        give(status, tally.flags, "", "", HeaderProgram.NONE, false);
    }

    /** The route has the answer itself. */
    void direct(RouteAction.DirectResponse answer) {
        tally.details = DIRECT;
        give(answer.status(), tally.flags, answer.body(), "", routing.responseChanges(), false);
    }

    /** The route sends the client elsewhere. */
    void redirect(RouteAction.Redirect redirect) {
        tally.details = DIRECT;
        String to = Redirects.location(redirect, head, routing.scheme(), routing.path(), routing.authority());
        give(redirect.status(), tally.flags, "", to, routing.responseChanges(), false);
    }

    private void give(int status, String flags, String body, String location, HeaderProgram changes, boolean refused) {
        conclusion.stop();
        tally.code = status;
        tally.flags = flags;
        int grpc = grpcStatus(status);
        boolean asItIs = body.isEmpty() || body.endsWith("\n") || tally.details.equals(DIRECT) || body.equals(DENIED);
        LocalAnswer given = filters.own(
                new LocalAnswer(status, asItIs ? body : body + "\n", filters.responseChanges(changes)), grpc);
        byte[] text = given.body().getBytes(StandardCharsets.UTF_8);
        tally.responseBytes = text.length;
        client.local(given.status(), grpc, text, location, given.changes(), refused);
        conclusion.finish();
    }

    /** What a call of gRPC ends with, which is reported of it, too. */
    private int grpcStatus(int status) {
        GrpcCall call = tally.grpc;
        int grpc = GrpcStatus.of(status);
        if (call == null) {
            return grpc;
        }
        if (status >= 500 && deadlines.isOfCall(System.nanoTime() + MOMENT)) {
            grpc = GrpcStatus.DEADLINE_EXCEEDED;
        }
        call.status(grpc);
        return call.status();
    }
}
