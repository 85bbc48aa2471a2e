package dev.tulle.config;

import dev.tulle.model.CorsPolicy;
import dev.tulle.model.StringMatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/** {@code corsPolicy} of a VirtualService's rule. */
final class CorsDecoder {
    private static final Set<String> METHODS =
            Set.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*");

    private static final Map<String, Boolean> UNMATCHED = Map.of("UNSPECIFIED", true, "FORWARD", true, "IGNORE", false);

    private CorsDecoder() {}

    static CorsPolicy decode(Fields policy) {
        List<StringMatch> origins = new ArrayList<>();
        for (Fields origin : policy.objects("allowOrigins")) {
            HttpMatchDecoder.stringMatch(origin, false)
                    .filter(match -> isOrigin(origin, match))
                    .ifPresent(origins::add);
        }
        // The list of before Istio 1.6; it counts where the other one is not given.
        List<String> older = policy.strings("allowOrigin");
        if (!policy.has("allowOrigins")) {
            older.forEach(origin -> origins.add(new StringMatch.Exact(origin)));
        }
        String methods = list(policy, "allowMethods", METHODS::contains, "an HTTP method in capitals, or *");
        Predicate<String> isName = Words::isToken;
        String headers = list(policy, "allowHeaders", isName, "a header field's name, or *");
        String exposed = list(policy, "exposeHeaders", isName, "a header field's name, or *");
        Optional<Duration> age = policy.duration("maxAge");
        if (age.isPresent() && !age.get().equals(Duration.ofSeconds(age.get().toSeconds()))) {
            policy.error("maxAge", "whole seconds", "a part of a second cannot be said to a browser");
        }
        boolean credentials = policy.bool("allowCredentials").orElse(false);
        boolean forwards = policy.choice("unmatchedPreflights", UNMATCHED).orElse(true);
        policy.done();
        String seconds = age.map(d -> Long.toString(d.toSeconds())).orElse("");
        return new CorsPolicy(origins, methods, headers, exposed, seconds, credentials, forwards);
    }

    private static boolean isOrigin(Fields fields, StringMatch match) {
        boolean empty =
                switch (match) {
                    case StringMatch.Exact(String value) -> value.isEmpty();
                    case StringMatch.Prefix(String value) -> value.isEmpty();
                    case StringMatch.Regex(String pattern) -> pattern.isEmpty();
                    case StringMatch.Present() -> true;
                };
        if (empty) {
            fields.error("", "exact, prefix or regex with a text that is not empty", "a condition on no origin");
        }
        return !empty;
    }

    private static String list(Fields policy, String name, Predicate<String> right, String expected) {
        List<String> out = new ArrayList<>();
        for (Item item : policy.texts(name)) {
            if (right.test(item.text())) {
                out.add(item.text());
            } else {
                item.error(expected, "not one that a browser can be told");
            }
        }
        return String.join(",", out);
    }
}
