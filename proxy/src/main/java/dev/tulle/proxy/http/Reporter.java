package dev.tulle.proxy.http;

import dev.tulle.model.Route;
import dev.tulle.model.RouteDecision;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.upstream.EndpointPool;
import dev.tulle.proxy.upstream.ServiceView;
import dev.tulle.telemetry.AccessLog;
import dev.tulle.telemetry.AccessLogEntry;

/** Counts and logs one finished exchange. */
final class Reporter {
    private Reporter() {}

    static void report(HttpScope scope, Peer peer, RequestHead head, Exchange exchange, long micros) {
        ServiceView view = exchange.view();
        EndpointPool endpoint = exchange.endpoint();
        int code = exchange.code();
        String flags = exchange.flags();
        if (view != null) {
            (endpoint == null ? view.unrouted() : endpoint.metrics())
                    .requests(peer.source().labels(), view.labels(), code, flags)
                    .record(micros, exchange.requestBytes(), exchange.responseBytes());
        }
        AccessLog log = scope.accessLog();
        boolean good = flags.equals(Flags.NONE) && code < 400;
        if (log == null || (good && !scope.logsEverything())) {
            return;
        }
        RouteDecision decision = exchange.decision();
        Route route = decision == null ? null : decision.route();
        boolean parsed = head.targetEnd() > 0;
        log.log(new AccessLogEntry(
                System.currentTimeMillis() - micros / 1_000,
                parsed ? head.method() : "",
                parsed ? head.target() : "",
                "HTTP/1." + head.minorVersion(),
                code,
                flags,
                exchange.details(),
                exchange.requestBytes(),
                exchange.responseBytes(),
                micros,
                exchange.upstreamMicros(),
                head.value(FieldName.X_FORWARDED_FOR),
                head.value(FieldName.USER_AGENT),
                head.value(FieldName.X_REQUEST_ID),
                head.authority(),
                endpoint == null ? "" : endpoint.addressText(),
                exchange.clusterName(),
                peer.dialled(),
                peer.remote(),
                peer.source().toString(),
                route == null ? "" : route.name()));
    }
}
