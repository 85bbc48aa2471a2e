package dev.tulle.agent.http;

import dev.tulle.agent.http.HttpWhen.Field;
import dev.tulle.model.Caller;
import dev.tulle.model.RequestView;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel programs do with a request and a table, for explanations and to hold the table's meaning equal to the
 * proxy's in tests. The request is one that the programs take at all: HTTP/1.1, a known method, a plain path. Pure.
 */
public final class HttpInterpreter {
    private HttpInterpreter() {}

    /**
     * What comes out.
     *
     * @param route the first route that matches; null when none does
     * @param forwards true when the kernel forwards to one of the route's shares, false when the proxy gets the request
     * @param text why the proxy gets it; empty when it does not
     */
    public record Outcome(HttpTable.@Nullable Route route, boolean forwards, String text) {}

    /**
     * Decides.
     *
     * @param body true when the request has a body
     */
    public static Outcome decide(HttpTable table, RequestView request, Caller caller, boolean body) {
        HttpTable.Route taken = null;
        for (HttpTable.Route route : table.routes()) {
            if (holds(route.when(), request)) {
                taken = route;
                break;
            }
        }
        if (taken == null) {
            return new Outcome(null, false, "no route matches");
        }
        if (!taken.forwards()) {
            return new Outcome(taken, false, taken.text());
        }
        if (body && (taken.keep() & HttpTable.KEEP_BODY) != 0) {
            return new Outcome(taken, false, "it has a body that a retry may need");
        }
        Integer concerns = table.concerns().get(caller);
        if (concerns == null && !table.rules().isEmpty()) {
            return new Outcome(taken, false, "the caller is not known");
        }
        boolean allowed = !table.anyAllow();
        for (int i = 0; i < table.rules().size(); i++) {
            HttpTable.Rule rule = table.rules().get(i);
            if (concerns != null && (concerns & 1 << i) != 0 && holds(rule.when(), request)) {
                if (!rule.allow()) {
                    return new Outcome(taken, false, "policy " + rule.policy() + " may deny it");
                }
                allowed = true;
            }
        }
        return new Outcome(taken, allowed, allowed ? "" : "no policy is shown to allow it");
    }

    private static boolean holds(HttpWhen when, RequestView request) {
        String path = request.path();
        String pattern = when.path();
        boolean pathHolds =
                switch (when.pathKind()) {
                    case ANY -> true;
                    case EXACT -> path.equals(pattern);
                    case PREFIX -> path.startsWith(pattern);
                    case SEGMENT ->
                        path.startsWith(pattern)
                                && (path.length() == pattern.length() || path.charAt(pattern.length()) == '/');
                };
        return pathHolds
                && (when.methods() & HttpMethod.bitOf(request.method())) != 0
                && when.fields().stream().allMatch(field -> holds(field, request));
    }

    private static boolean holds(Field field, RequestView request) {
        List<String> lines = field.name().equals("host") ? List.of(request.authority()) : request.headers(field.name());
        boolean holds = lines.stream().anyMatch(line -> field.present() || line.equals(field.value()));
        return holds != field.inverted();
    }
}
