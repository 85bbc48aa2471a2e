package dev.tulle.config;

import dev.tulle.config.HttpRule.Action;
import dev.tulle.config.HttpRule.Mirror;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.FaultInjection.Abort;
import dev.tulle.model.FaultInjection.Delay;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.WireText;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Decodes one entry of {@code spec.http} of a VirtualService. */
final class HttpRuleDecoder {
    private static final int PARTS = 1_000_000;

    /** Conditions that the proxy knows; the rest of Envoy's are refused by name. */
    private static final Set<String> RETRY_ON = Set.of(
            "5xx", "connect-failure", "gateway-error", "refused-stream", "reset", "retriable-4xx", "unavailable");

    /** What Istio retries on when a rule gives attempts only; {@code cancelled} has no meaning below HTTP/2. */
    private static final Set<String> DEFAULT_RETRY_ON = Set.of("connect-failure", "refused-stream", "unavailable");

    private static final Map<String, Integer> REDIRECT_PORTS =
            Map.of("FROM_PROTOCOL_DEFAULT", 0, "FROM_REQUEST_PORT", 1);

    private HttpRuleDecoder() {}

    static HttpRule decode(Fields rule, String defaultName) {
        String name = rule.string("name").orElse(defaultName);
        List<HttpRule.Match> matches = HttpMatchDecoder.matches(rule);
        rule.unsupported("corsPolicy", "delegate");
        HeaderMutation headers = IstioFields.headers(rule);
        FaultInjection fault = rule.object("fault").map(HttpRuleDecoder::fault).orElse(FaultInjection.NONE);
        Action action = action(rule);
        rule.done();
        return new HttpRule(name, matches, action, fault, headers);
    }

    private static Action action(Fields rule) {
        Optional<Fields> redirect = rule.object("redirect");
        Optional<Fields> direct = rule.object("directResponse");
        List<Destination> destinations = VirtualServiceDecoder.destinations(rule, "route", true);
        Duration timeout = rule.duration("timeout").orElse(Duration.ZERO);
        RetryPolicy retry = rule.object("retries").map(HttpRuleDecoder::retries).orElse(RetryPolicy.DEFAULT);
        Optional<Fields> rewriteFields = rule.object("rewrite");
        Optional<String> uri = rewriteFields.flatMap(r -> r.wire("uri", WireText.TARGET));
        Rewrite rewrite = rewriteFields.map(r -> rewrite(r, uri)).orElse(Rewrite.NONE);
        List<Mirror> mirrors = mirrors(rule);
        int actions = (redirect.isPresent() ? 1 : 0) + (direct.isPresent() ? 1 : 0) + (rule.has("route") ? 1 : 0);
        if (actions != 1) {
            rule.error(
                    actions == 0 ? "route" : redirect.isPresent() ? "redirect" : "directResponse",
                    "exactly one of route, redirect and directResponse",
                    actions == 0 ? "a rule without an action" : "a rule with several actions");
        }
        if (redirect.isPresent()) {
            return new Action.Answer(redirect(redirect.get()));
        }
        if (direct.isPresent()) {
            return new Action.Answer(directResponse(direct.get()));
        }
        return new Action.Forward(destinations, timeout, retry, uri, rewrite, mirrors);
    }

    private static RouteAction redirect(Fields redirect) {
        Optional<PathRewrite> path = redirect.wire("uri", WireText.TARGET).map(PathRewrite.Full::new);
        Optional<String> authority = redirect.wire("authority", WireText.AUTHORITY);
        Optional<String> scheme = redirect.wire("scheme", WireText.SCHEME);
        OptionalInt port = redirect.port("port");
        redirect.choice("derivePort", REDIRECT_PORTS)
                .ifPresent(_ -> redirect.unsupportedValue("derivePort", "a derived port", "port"));
        int status = redirect.integer("redirectCode", 300, 399).orElse(301);
        redirect.done();
        return new RouteAction.Redirect(
                status, scheme, authority, port.isPresent() ? Optional.of(port.getAsInt()) : Optional.empty(), path);
    }

    private static RouteAction directResponse(Fields direct) {
        int status = direct.requiredInteger("status", 200, 599).orElse(500);
        Optional<Fields> body = direct.object("body");
        String text = "";
        if (body.isPresent()) {
            text = body.get().string("string").orElse("");
            body.get().unsupported("bytes");
            body.get().done();
        }
        direct.done();
        return new RouteAction.DirectResponse(status, text);
    }

    private static Rewrite rewrite(Fields fields, Optional<String> uri) {
        Optional<PathRewrite> path = Optional.empty();
        Optional<Fields> regex = fields.object("uriRegexRewrite");
        if (regex.isPresent()) {
            Optional<String> pattern = regex.get().replacingRegex("match");
            if (!regex.get().has("rewrite")) {
                regex.get().presentString("rewrite");
            }
            String substitution = regex.get().wire("rewrite", WireText.TARGET).orElse("");
            if (!regex.get().has("match")) {
                regex.get().requiredString("match");
            }
            regex.get().done();
            path = pattern.map(p -> new PathRewrite.Regex(p, substitution));
            if (uri.isPresent()) {
                fields.error("uriRegexRewrite", "uri or uriRegexRewrite, not both", "two rewrites of the path");
            }
        }
        Optional<String> authority = fields.wire("authority", WireText.AUTHORITY);
        fields.done();
        return authority.isEmpty() && path.isEmpty() ? Rewrite.NONE : new Rewrite(authority, path);
    }

    private static RetryPolicy retries(Fields retries) {
        int attempts = retries.requiredInteger("attempts", 0, 100).orElse(0);
        Duration perTry = retries.duration("perTryTimeout").orElse(Duration.ZERO);
        Set<String> on = new LinkedHashSet<>();
        Optional<String> conditions = retries.string("retryOn");
        if (conditions.isPresent()) {
            for (String word : conditions.get().split(",", -1)) {
                String condition = word.strip();
                if (isStatus(condition) || RETRY_ON.contains(condition)) {
                    on.add(condition);
                } else if (!condition.isEmpty()) {
                    retries.unsupportedValue(
                            "retryOn",
                            "the condition '" + (condition.length() > 40 ? condition.substring(0, 40) : condition)
                                    + "'",
                            "a status code or " + String.join(", ", new java.util.TreeSet<>(RETRY_ON)));
                }
            }
        }
        retries.unsupported("backoff", "retryIgnorePreviousHosts", "retryRemoteLocalities");
        retries.done();
        return attempts == 0
                ? RetryPolicy.NONE
                : new RetryPolicy(attempts, perTry, on.isEmpty() ? DEFAULT_RETRY_ON : on);
    }

    private static boolean isStatus(String word) {
        return word.length() == 3
                && word.charAt(0) >= '1'
                && word.charAt(0) <= '5'
                && Character.isDigit(word.charAt(1))
                && Character.isDigit(word.charAt(2));
    }

    private static FaultInjection fault(Fields fault) {
        Optional<Delay> delay = fault.object("delay").map(HttpRuleDecoder::delay);
        Optional<Abort> abort = fault.object("abort").map(HttpRuleDecoder::abort);
        fault.done();
        return new FaultInjection(delay, abort);
    }

    private static Delay delay(Fields delay) {
        if (!delay.has("fixedDelay") && !delay.has("exponentialDelay")) {
            delay.error("fixedDelay", "a duration such as 2s", "this field is required");
        }
        Duration duration = delay.duration("fixedDelay").orElse(Duration.ZERO);
        delay.unsupported("exponentialDelay");
        int share = faultShare(delay);
        delay.done();
        return new Delay(duration, share);
    }

    private static Abort abort(Fields abort) {
        if (!abort.has("httpStatus") && !abort.has("grpcStatus") && !abort.has("http2Error")) {
            abort.error("httpStatus", "an integer from 200 to 599", "this field is required");
        }
        int status = abort.integer("httpStatus", 200, 599).orElse(500);
        abort.unsupported("grpcStatus", "http2Error");
        int share = faultShare(abort);
        abort.done();
        return new Abort(status, share);
    }

    private static int faultShare(Fields fault) {
        Optional<Integer> share = IstioFields.share(fault, "percentage", "percent");
        if (share.isEmpty()) {
            fault.warning(
                    "percentage",
                    "percentage: {value: 100} for every request",
                    "a fault without a percentage" + " holds for no request");
        }
        return share.orElse(0);
    }

    private static List<Mirror> mirrors(Fields rule) {
        List<Mirror> out = new ArrayList<>();
        Optional<Integer> share = IstioFields.share(rule, "mirrorPercentage", "mirrorPercent");
        rule.object("mirror")
                .ifPresent(mirror -> out.add(new Mirror(
                        VirtualServiceDecoder.destination(mirror, 1, HeaderMutation.NONE), share.orElse(PARTS))));
        for (Fields mirror : rule.objects("mirrors")) {
            int parts = IstioFields.share(mirror, "percentage", "percent").orElse(PARTS);
            mirror.requiredObject("destination")
                    .ifPresent(d ->
                            out.add(new Mirror(VirtualServiceDecoder.destination(d, 1, HeaderMutation.NONE), parts)));
            mirror.done();
        }
        return out;
    }
}
