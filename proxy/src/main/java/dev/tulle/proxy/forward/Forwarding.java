package dev.tulle.proxy.forward;

import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.body.BrokenBodyException;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.forward.ForwardState.Event;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.lease.TakenRequest;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ForwardPlan;
import dev.tulle.proxy.upstream.From;
import dev.tulle.proxy.upstream.UpstreamConnection;
import dev.tulle.proxy.upstream.UpstreamStream;
import dev.tulle.proxy.upstream.UpstreamUser;
import dev.tulle.proxy.upstream.WorkerCluster;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The endpoint's half of one request, from the choice of a cluster to the end of the answer. Where the request is
 * ({@link Progress}) says whose turn it is: the {@link Approach} gets it to an endpoint that answers, the {@link AnswerSide}
 * passes that answer on, the {@link Tunnel} has what is no HTTP any more. Reused for all requests of a connection of HTTP/1.
 * Loop-confined.
 */
final class Forwarding implements UpstreamUser {
    private final Parts parts;
    private final OwnAnswer own;
    private final Conclusion conclusion;
    private final Downstream client;
    private final RequestHead head;
    private final Deadlines deadlines;
    private final Tally tally;
    private final Progress progress;
    private final Tries tries = new Tries();
    private final RequestSide request;
    private final Approach approach;
    private final AnswerSide passed;
    private final Tunnel tunnel;

    Forwarding(Parts parts, OwnAnswer own, Conclusion conclusion) {
        this.parts = parts;
        this.own = own;
        this.conclusion = conclusion;
        this.client = parts.client();
        this.head = parts.head();
        this.deadlines = parts.deadlines();
        this.tally = parts.tally();
        this.progress = new Progress(conclusion);
        this.request = new RequestSide(parts, this::bodyBroken);
        this.approach = new Approach(parts, own, this, progress, tries, request);
        this.passed = new AnswerSide(parts, tries);
        this.tunnel = new Tunnel(conclusion, client, tries, approach);
    }

    /** A request begins. */
    void reset() {
        tries.reset();
        request.reset();
        approach.reset();
        tunnel.reset();
    }

    /** The head was read; without a body the request is complete. */
    void headRead() {
        request.headRead();
    }

    /** True when the whole request was received. */
    boolean isComplete() {
        return request.isComplete();
    }

    /** Where the request is. */
    ForwardState state() {
        return progress.state();
    }

    /** The endpoint of the last try; null before the first has ended. */
    @Nullable
    EndpointPool last() {
        return tries.last();
    }

    /** The request is for this cluster. */
    void forward(WorkerCluster target, ForwardPlan chosen, RouteDecision decided) {
        approach.begin(target, chosen, decided);
    }

    /** Goes on with a request that the kernel has decided on and sent. */
    void take(OutboundService service, UpstreamConnection from, TakenRequest taken) {
        approach.take(service, from, taken);
        if (taken.isAnswered()) {
            tally.counted = true;
            tally.code = taken.code();
            progress.on(Event.ANSWERED);
            client.headPassed();
            from.resume(this, taken.remaining());
        } else {
            from.adopt(this, head.isHead());
        }
        parts.armDeadline();
    }

    // ---- from the client ----

    /** True when body bytes can be taken now. */
    boolean takesBody() {
        UpstreamStream to = tries.upstream();
        return switch (progress.state()) {
            case SENT, RESPONDING -> to != null && to.isWritable() && request.takesBody();
            case TUNNEL -> to != null && to.isWritable();
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
        if (progress.is(ForwardState.TUNNEL)) {
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
    void requestEnd(byte[] trailers) {
        request.end(tries.upstream(), trailers);
        approach.requestComplete(System.nanoTime());
        flushUpstream();
    }

    /** End of a batch of reads from the client. */
    void flushUpstream() {
        UpstreamStream to = tries.upstream();
        if (to != null && !to.flush() && mayHaveMore()) {
            client.pauseBody(to.unsent());
        }
    }

    @Override
    public void upstreamWritability(boolean writable) {
        UpstreamStream to = tries.upstream();
        if (writable && to != null && !request.takesBody()) {
            request.passOn(to);
            to.flush();
        }
        if (writable && mayHaveMore()) {
            client.resumeBody();
        }
    }

    /** The request's body is not what its filters take it for. */
    private void bodyBroken(BrokenBodyException why) {
        if (progress.is(ForwardState.RESPONDING)) {
            tally.flag(Flags.DOWNSTREAM_PROTOCOL, why.details());
            conclusion.fail();
        } else {
            own.reply(
                    why.status(),
                    Flags.join(tally.flags, Flags.DOWNSTREAM_PROTOCOL),
                    why.details(),
                    String.valueOf(why.getMessage()));
        }
    }

    /** True while something for the endpoint may still come from the client. */
    private boolean mayHaveMore() {
        return !request.isComplete() || progress.is(ForwardState.TUNNEL);
    }

    /** The client takes more bytes again, or no more for now. */
    void downstreamWritability(boolean writable) {
        if (writable) {
            passed.resume();
        }
    }

    /** The client sends nothing more through a tunnel; it may still read. */
    void clientEnded() {
        if (progress.is(ForwardState.TUNNEL)) {
            tunnel.clientEnded();
        }
    }

    /** The client has reset a tunnel: its server hears of that, too. */
    void clientReset() {
        if (progress.is(ForwardState.TUNNEL)) {
            tunnel.clientReset();
        }
    }

    // ---- the connection ----

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
        approach.connected(made);
    }

    @Override
    public void connectFailed(String reason) {
        approach.connectFailed(reason);
    }

    // ---- from the endpoint ----

    @Override
    public void interim(ResponseHead interim) {
        client.interim(interim);
    }

    @Override
    public void responseHead(ResponseHead answer, int following) {
        UpstreamStream from = tries.upstream();
        if (from == null || !approach.answered(answer)) {
            return;
        }
        boolean switched = from.isTunnel();
        progress.on(switched ? Event.SWITCHED : Event.ANSWERED);
        passed.head(answer, switched, following);
    }

    @Override
    public void responseData(ByteBuf data) {
        deadlines.moved();
        switch (progress.state()) {
            case RESPONDING -> passed.data(data);
            case TUNNEL -> {
                tally.responseBytes += data.readableBytes();
                client.data(data);
            }
            default -> data.release();
        }
    }

    @Override
    public void responseTrailers(byte[] lines) {
        passed.trailers(lines);
    }

    @Override
    public void responseEnd() {
        passed.end();
        approach.leave();
        conclusion.finish();
    }

    @Override
    public void readComplete() {
        passed.flush();
    }

    @Override
    public void tunnelEnded() {
        if (progress.is(ForwardState.TUNNEL)) {
            tunnel.serverEnded();
        }
    }

    @Override
    public void upstreamBroken(String reason, boolean malformed, Seen seen) {
        UpstreamStream from = tries.upstream();
        tries.disconnected();
        switch (progress.state()) {
            case TUNNEL -> tunnel.broken(from);
            case RESPONDING -> {
                // The client must see that the response is not whole.
                tries.failed(client.channel());
                tally.flag(Flags.UPSTREAM_CLOSED, "upstream_reset_after_response_started");
                conclusion.fail();
            }
            default -> approach.broken(reason, malformed, seen);
        }
    }

    // ---- ends ----

    /** The time of the request, or of its try, is over: whose fault that is. */
    void timedOut() {
        approach.timedOut();
    }

    /** Tries again because the time of the try is over, if that may be. */
    boolean retriesLate() {
        return approach.retriesReset();
    }

    /** Nothing more is forwarded: the request is answered otherwise, or has lost its client. */
    void stop() {
        approach.stop();
    }

    /** The request is over. */
    void over() {
        progress.on(Event.OVER);
        parts.filters().over();
        request.over();
        tries.over();
    }
}
