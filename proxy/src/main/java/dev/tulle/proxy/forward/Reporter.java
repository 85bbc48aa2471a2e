package dev.tulle.proxy.forward;

import dev.tulle.model.Route;
import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.filter.GrpcCall;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.ForwardingFields;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ServiceView;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.AccessLogEntry;
import dev.tulle.telemetry.IstioMetrics;
import org.jspecify.annotations.Nullable;

/** Counts and logs one finished exchange. */
final class Reporter {
    private Reporter() {}

    /**
     * Reports.
     *
     * @param endpoint the last that was tried; null for none
     * @param micros how long it took
     */
    static void report(Parts parts, @Nullable EndpointPool endpoint, long micros) {
        Peer peer = parts.client().peer();
        RequestHead head = parts.head();
        Tally tally = parts.tally();
        Routing routing = parts.routing();
        ServiceView view = routing.view();
        int code = tally.code;
        String flags = tally.flags;
        if (view != null && !tally.counted) {
            GrpcCall call = tally.grpc;
            IstioMetrics.Requests series = (endpoint == null ? view.unrouted() : endpoint.metrics())
                    .requests(
                            peer.source().labels(),
                            view.labels(routing.cluster()),
                            code,
                            flags,
                            call == null ? IstioMetrics.NO_GRPC : call.status());
            series.record(micros, tally.requestBytes, tally.responseBytes);
            if (call != null) {
                series.messages(call.requestMessages(), call.responseMessages());
            }
        }
        // The client's place, by which its lines are bounded.
        Held held = parts.client().held();
        AccessLog log = parts.scope().accessLog();
        boolean good = flags.equals(Flags.NONE) && code < 400;
        if (log == null
                || (good && !parts.scope().logsEverything())
                || (held != null && !held.share().mayLog())) {
            return;
        }
        RouteDecision decision = routing.decision();
        Route route = decision == null ? null : decision.route();
        boolean parsed = head.targetEnd() > 0;
        log.log(new AccessLogEntry(
                System.currentTimeMillis() - micros / 1_000,
                parsed ? head.method() : "",
                parsed ? head.target() : "",
                head.protocol(),
                code,
                flags,
                tally.details,
                tally.requestBytes,
                tally.responseBytes,
                micros,
                tally.upstreamMicros(),
                peer.outside().isEmpty()
                        ? head.value(FieldName.X_FORWARDED_FOR)
                        : ForwardingFields.forwardedFor(head, peer),
                head.value(FieldName.USER_AGENT),
                head.value(FieldName.X_REQUEST_ID),
                head.authority(),
                endpoint == null ? "" : endpoint.addressText(),
                routing.clusterName(),
                peer.dialled(),
                peer.remote(head),
                peer.source().toString(),
                route == null ? "" : route.name()));
    }
}
