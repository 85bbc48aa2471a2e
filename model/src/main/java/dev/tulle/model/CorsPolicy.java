package dev.tulle.model;

import dev.tulle.common.Reason;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Which other origins' pages may call a service (Fetch standard, "CORS protocol"), as Envoy's filter decides it: answers the
 * question that a browser asks in advance (preflight) and marks the answers to the calls. It keeps nobody from calling.
 *
 * @param origins conditions, any of which lets an origin in; one that {@code *} satisfies lets all in
 * @param methods the value of Access-Control-Allow-Methods; {@code *} gives back what was asked for, empty sends none
 * @param headers the value of Access-Control-Allow-Headers; {@code *} gives back what was asked for, empty sends none
 * @param exposed the value of Access-Control-Expose-Headers; empty sends none
 * @param maxAge the value of Access-Control-Max-Age, seconds; empty sends none
 * @param credentials whether calls may bear cookies and the like
 * @param forwardsUnmatched whether a preflight of another origin goes on to the server, rather than being answered without leave
 */
public record CorsPolicy(
        List<StringMatch> origins,
        String methods,
        String headers,
        String exposed,
        String maxAge,
        boolean credentials,
        boolean forwardsUnmatched)
        implements HeadFilter {
    private static final String ALLOW_ORIGIN = "access-control-allow-origin";
    private static final String ALLOW_CREDENTIALS = "access-control-allow-credentials";
    private static final String EXPOSE = "access-control-expose-headers";

    public CorsPolicy {
        origins = List.copyOf(origins);
        WireText.HEADER_VALUE.require("allowed methods", methods);
        WireText.HEADER_VALUE.require("allowed headers", headers);
        WireText.HEADER_VALUE.require("exposed headers", exposed);
        WireText.HEADER_VALUE.require("max age", maxAge);
    }

    @Override
    public Optional<ProxyWork> needsProxy() {
        return Optional.of(new ProxyWork(Reason.NEEDS_REWRITE, "lets pages of other origins call it"));
    }

    @Override
    public String text() {
        return "CORS for " + origins.size() + (origins.size() == 1 ? " origin" : " origins");
    }

    @Override
    public Decider prepare() {
        List<StringCondition> allowed =
                origins.stream().map(StringCondition::compile).toList();
        boolean all = allowed.stream().anyMatch(condition -> condition.holds("*"));
        return request -> {
            String origin = joined(request, "origin");
            if (origin.isEmpty()) {
                return Outcome.NOTHING;
            }
            boolean in = all || allowed.stream().anyMatch(condition -> condition.holds(origin));
            List<Field> fields = new ArrayList<>();
            if (in) {
                fields.add(new Field(ALLOW_ORIGIN, origin));
                if (credentials) {
                    fields.add(new Field(ALLOW_CREDENTIALS, "true"));
                }
                add(fields, EXPOSE, exposed);
            }
            String method = joined(request, "access-control-request-method");
            boolean preflight = request.method().equals("OPTIONS") && !method.isEmpty();
            if (!preflight || (!in && forwardsUnmatched)) {
                return fields.isEmpty() ? Outcome.NOTHING : new Outcome(0, "", set(fields));
            }
            if (!in && credentials) {
                fields.add(new Field(ALLOW_CREDENTIALS, "true"));
            }
            add(fields, "access-control-allow-methods", methods.equals("*") ? method : methods);
            add(
                    fields,
                    "access-control-allow-headers",
                    headers.equals("*") ? joined(request, "access-control-request-headers") : headers);
            add(fields, "access-control-max-age", maxAge);
            return new Outcome(200, "cors_response", set(fields));
        };
    }

    /** Lines of one field as one value, as Envoy keeps these fields. */
    private static String joined(RequestView request, String name) {
        return String.join(",", request.headers(name));
    }

    private static void add(List<Field> to, String name, String value) {
        if (!value.isEmpty()) {
            to.add(new Field(name, value));
        }
    }

    private static Changes set(List<Field> fields) {
        return new Changes(fields, List.of(), List.of());
    }
}
