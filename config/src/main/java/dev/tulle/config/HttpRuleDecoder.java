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
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.WireText;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Decodes one entry of {@code spec.http} of a VirtualService. */
final class HttpRuleDecoder {
    private static final int PARTS = 1_000_000;
    private static final int MAX_BODY = 1 << 20;

    /** Whether a redirect goes to the port that was asked; the other is what happens without a word. */
    private static final Map<String, Boolean> REDIRECT_PORTS =
            Map.of("FROM_PROTOCOL_DEFAULT", false, "FROM_REQUEST_PORT", true);

    /** The codes that Envoy can send; Istio lets others pass and sends nothing. */
    private static final Set<Integer> REDIRECT_CODES = Set.of(301, 302, 303, 307, 308);

    private HttpRuleDecoder() {}

    /** @param namespace of the virtual service */
    static HttpRule decode(Fields rule, String defaultName, String namespace) {
        String name = rule.string("name").orElse(defaultName);
        List<HttpRule.Match> matches = HttpMatchDecoder.matches(rule, namespace);
        rule.unsupported("delegate");
        HeaderMutation headers = HeaderChanges.of(rule);
        List<RouteFilter> filters = new ArrayList<>();
        rule.object("fault")
                .map(HttpRuleDecoder::fault)
                .filter(fault -> fault.delay().isPresent() || fault.abort().isPresent())
                .ifPresent(filters::add);
        rule.object("corsPolicy").map(CorsDecoder::decode).ifPresent(filters::add);
        if (rule.has("corsPolicy") && (rule.has("redirect") || rule.has("directResponse"))) {
            rule.warning(
                    "corsPolicy",
                    "a rule that forwards",
                    "as in Istio, a rule that answers by itself answers nothing of it");
        }
        Action action = action(rule, matches, headers);
        rule.done();
        return new HttpRule(name, matches, action, filters, headers);
    }

    private static Action action(Fields rule, List<HttpRule.Match> matches, HeaderMutation headers) {
        Optional<Fields> redirect = rule.object("redirect");
        Optional<Fields> direct = rule.object("directResponse");
        boolean routed = !rule.objects("route").isEmpty();
        List<Destination> destinations = VirtualServiceDecoder.destinations(rule, "route", true);
        Duration timeout = rule.duration("timeout").orElse(Duration.ZERO);
        RetryPolicy retry = rule.object("retries").map(RetryDecoder::decode).orElse(RetryPolicy.DEFAULT);
        Optional<Fields> rewriteFields = rule.object("rewrite");
        Optional<String> uri = rewriteFields.flatMap(r -> text(r, "uri", WireText.TARGET));
        Rewrite rewrite = rewriteFields.map(r -> rewrite(r, uri)).orElse(Rewrite.NONE);
        checkAuthority(rule, rewriteFields, headers);
        List<Mirror> mirrors = mirrors(rule);
        int actions = (redirect.isPresent() ? 1 : 0) + (direct.isPresent() ? 1 : 0) + (routed ? 1 : 0);
        if (actions != 1 && !rule.has("delegate")) {
            rule.error(
                    actions == 0 ? "route" : redirect.isPresent() ? "redirect" : "directResponse",
                    "exactly one of route, redirect and directResponse",
                    actions == 0 ? "a rule without an action" : "a rule with several actions");
        }
        if (redirect.isPresent() || direct.isPresent()) {
            for (String other : List.of("fault", "rewrite")) {
                if (rule.has(other)) {
                    rule.error(other, "a rule that forwards", "a rule that answers by itself has no " + other);
                }
            }
        }
        if (redirect.isPresent()) {
            return redirect(redirect.get(), matches);
        }
        if (direct.isPresent()) {
            return new Action.Answer(directResponse(direct.get()));
        }
        return new Action.Forward(destinations, timeout, retry, uri, rewrite, mirrors);
    }

    /** A text of which an empty one means the same as none. */
    private static Optional<String> text(Fields fields, String name, WireText kind) {
        return fields.string(name).filter(String::isEmpty).isPresent() ? Optional.empty() : fields.wire(name, kind);
    }

    /** There is one authority, so it is changed in one way. */
    private static void checkAuthority(Fields rule, Optional<Fields> rewrite, HeaderMutation headers) {
        long ways = headers.request().set().stream()
                .filter(field -> field.name().equals("host"))
                .count();
        if (rewrite.flatMap(r -> r.string("authority"))
                .filter(text -> !text.isEmpty())
                .isPresent()) {
            ways++;
        }
        if (ways > 1) {
            rule.error("headers", "one change of the authority", "the authority is set several times");
        }
    }

    private static Action.Answer redirect(Fields redirect, List<HttpRule.Match> matches) {
        Optional<String> uri = text(redirect, "uri", WireText.TARGET);
        Optional<String> prefix = text(redirect, "prefixRewrite", WireText.TARGET);
        if (uri.isPresent() && prefix.isPresent()) {
            redirect.error("prefixRewrite", "uri or prefixRewrite, not both", "two changes of the path");
        }
        if (prefix.isPresent() && matches.stream().anyMatch(m -> !(m.route().path() instanceof PathMatch.Prefix))) {
            redirect.error("prefixRewrite", "a prefix in every match of a uri", "no prefix to replace");
        }
        Optional<String> authority = text(redirect, "authority", WireText.AUTHORITY);
        Optional<String> scheme = redirect.string("scheme").filter(word -> !word.isEmpty());
        if (scheme.isPresent() && !scheme.get().equals("http") && !scheme.get().equals("https")) {
            redirect.error("scheme", "http or https", "unknown scheme");
        }
        OptionalInt port = redirect.portOrNone("port");
        boolean atAskedPort = redirect.choice("derivePort", REDIRECT_PORTS).orElse(false);
        if (redirect.has("derivePort") && redirect.has("port")) {
            redirect.error("port", "port or derivePort, not both", "two ports");
        }
        if (List.of("uri", "prefixRewrite", "authority", "scheme").stream()
                        .allMatch(name -> redirect.string(name).orElse("").isEmpty())
                && !redirect.has("port")
                && !redirect.has("derivePort")) {
            redirect.error("", "a uri, prefixRewrite, authority, scheme or port", "a redirect to nowhere else");
        }
        int status = redirect.integer("redirectCode", 0, Integer.MAX_VALUE).orElse(301);
        if (status != 0 && (status < 300 || status > 399)) {
            redirect.error("redirectCode", "an integer from 300 to 399", "out of range");
        } else if (status != 0 && !REDIRECT_CODES.contains(status)) {
            redirect.unsupportedValue("redirectCode", "this code", "301, 302, 303, 307 or 308");
        }
        redirect.done();
        Optional<PathRewrite> path =
                uri.<PathRewrite>map(PathRewrite.Full::new).or(() -> prefix.map(PathRewrite.MatchedPrefix::new));
        return new Action.Answer(
                new RouteAction.Redirect(
                        REDIRECT_CODES.contains(status) ? status : 301,
                        scheme,
                        authority,
                        port.isPresent() ? Optional.of(port.getAsInt()) : Optional.empty(),
                        path),
                atAskedPort);
    }

    private static RouteAction directResponse(Fields direct) {
        if (!direct.has("status")) {
            direct.requiredInteger("status", 200, 599);
        }
        int status = status(direct, "status").orElse(500);
        Optional<Fields> body = direct.object("body");
        String text = "";
        if (body.isPresent()) {
            text = body.get().string("string").orElse("");
            body.get().unsupported("bytes");
            if (text.getBytes(StandardCharsets.UTF_8).length > MAX_BODY) {
                body.get().error("string", "at most " + MAX_BODY + " bytes", "too long");
            }
            body.get().done();
        }
        direct.done();
        return new RouteAction.DirectResponse(status, text);
    }

    /** A status that Istio takes, of which Envoy cannot send the last, 600. */
    private static OptionalInt status(Fields fields, String name) {
        return fields.integerUpTo(name, 200, 599, 600);
    }

    private static Rewrite rewrite(Fields fields, Optional<String> uri) {
        Optional<PathRewrite> path = Optional.empty();
        Optional<Fields> regex = fields.object("uriRegexRewrite");
        if (regex.isPresent()) {
            Optional<String> pattern = IstioFields.replacingRegex(regex.get(), "match");
            if (!regex.get().has("match")) {
                regex.get().requiredString("match");
            }
            if (regex.get().string("rewrite").orElse("").isEmpty()) {
                regex.get().requiredString("rewrite");
            }
            String substitution = regex.get().wire("rewrite", WireText.TARGET).orElse("");
            regex.get().done();
            path = pattern.map(p -> new PathRewrite.Regex(p, substitution));
            if (uri.isPresent()) {
                fields.error("uriRegexRewrite", "uri or uriRegexRewrite, not both", "two rewrites of the path");
            }
        }
        Optional<String> authority = text(fields, "authority", WireText.AUTHORITY);
        if (regex.isEmpty()
                && fields.string("uri").orElse("").isEmpty()
                && fields.string("authority").orElse("").isEmpty()) {
            fields.error("", "a uri, uriRegexRewrite or authority", "a rewrite that changes nothing");
        }
        fields.done();
        return authority.isEmpty() && path.isEmpty() ? Rewrite.NONE : new Rewrite(authority, path);
    }

    private static FaultInjection fault(Fields fault) {
        if (!fault.has("delay") && !fault.has("abort")) {
            fault.error("", "a delay, an abort or both", "a fault without an effect");
        }
        Optional<Delay> delay = fault.object("delay").flatMap(HttpRuleDecoder::delay);
        Optional<Abort> abort = fault.object("abort").flatMap(HttpRuleDecoder::abort);
        fault.done();
        return new FaultInjection(delay, abort);
    }

    private static Optional<Delay> delay(Fields delay) {
        Optional<Duration> duration = delay.duration("fixedDelay");
        delay.unsupported("exponentialDelay");
        Optional<Integer> older = IstioFields.olderShare(delay, "percent");
        int share = faultShare(delay, older);
        if (!delay.has("fixedDelay") && !delay.has("exponentialDelay")) {
            delay.warning("", "fixedDelay: a duration such as 2s", "a delay without a duration delays no request");
        }
        delay.done();
        return duration.map(fixed -> new Delay(fixed, share));
    }

    private static Optional<Abort> abort(Fields abort) {
        OptionalInt status = status(abort, "httpStatus");
        abort.unsupported("grpcStatus", "http2Error");
        int share = faultShare(abort, Optional.empty());
        if (!abort.has("httpStatus") && !abort.has("grpcStatus") && !abort.has("http2Error")) {
            abort.warning("", "httpStatus: an integer from 200 to 599", "an abort without a status aborts no request");
        }
        abort.done();
        return status.isPresent() ? Optional.of(new Abort(status.getAsInt(), share)) : Optional.empty();
    }

    private static int faultShare(Fields fault, Optional<Integer> older) {
        Optional<Integer> share = IstioFields.shareOfFaults(fault).or(() -> older);
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
        Optional<Integer> older = IstioFields.olderShare(rule, "mirrorPercent");
        Optional<Integer> oldest = IstioFields.olderShare(rule, "mirror_percent");
        Optional<Integer> share =
                IstioFields.share(rule, "mirrorPercentage").or(() -> older).or(() -> oldest);
        if (rule.has("mirror") && !rule.objects("mirrors").isEmpty()) {
            rule.error("mirrors", "mirror or mirrors, not both", "mirrors are named in two ways");
        }
        rule.object("mirror")
                .ifPresent(mirror -> out.add(new Mirror(
                        VirtualServiceDecoder.destination(mirror, 1, HeaderMutation.NONE), share.orElse(PARTS))));
        for (Fields mirror : rule.objects("mirrors")) {
            int parts = IstioFields.share(mirror, "percentage").orElse(PARTS);
            mirror.requiredObject("destination")
                    .ifPresent(d ->
                            out.add(new Mirror(VirtualServiceDecoder.destination(d, 1, HeaderMutation.NONE), parts)));
            mirror.done();
        }
        return out;
    }
}
