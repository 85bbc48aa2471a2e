package dev.tulle.config;

import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/** Decodes {@code match} of a VirtualService's rule for requests. */
final class HttpMatchDecoder {
    private static final Set<String> PSEUDO_HEADERS =
            new TreeSet<>(List.of(":authority", ":method", ":path", ":scheme", ":status"));

    private HttpMatchDecoder() {}

    /** The alternatives of a rule; one that matches everything when it has none. */
    static List<HttpRule.Match> matches(Fields rule, String namespace) {
        List<HttpRule.Match> out = new ArrayList<>();
        for (Fields match : rule.objects("match")) {
            out.add(match(match, namespace));
        }
        return out.isEmpty() ? List.of(new HttpRule.Match("", RouteMatch.ANY, OptionalInt.empty())) : out;
    }

    private static HttpRule.Match match(Fields match, String namespace) {
        String name = match.string("name").orElse("");
        PathMatch path = match.object("uri").map(HttpMatchDecoder::path).orElse(new PathMatch.Prefix("/"));
        boolean ignoreCase = match.bool("ignoreUriCase").orElse(false);
        Optional<StringMatch> method = condition(match, "method");
        match.object("method").ifPresent(HttpMatchDecoder::checkMethod);
        List<Named> headers = new ArrayList<>();
        condition(match, "authority").ifPresent(m -> headers.add(new Named(":authority", m, false)));
        condition(match, "scheme").ifPresent(m -> headers.add(new Named(":scheme", m, false)));
        headers.addAll(named(match, "headers", true, false));
        headers.addAll(named(match, "withoutHeaders", true, true));
        List<Named> params = named(match, "queryParams", false, false);
        OptionalInt port = match.portOrNone("port");
        List<String> gateways = IstioFields.gateways(match, namespace);
        match.unsupported("sourceLabels", "sourceNamespace", "statPrefix");
        match.done();
        return new HttpRule.Match(name, new RouteMatch(path, ignoreCase, method, headers, params), port, gateways);
    }

    private static PathMatch path(Fields uri) {
        Optional<StringMatch> match = stringMatch(uri, true);
        return switch (match.orElse(new StringMatch.Present())) {
            case StringMatch.Exact exact -> new PathMatch.Exact(exact.value());
            case StringMatch.Prefix prefix -> new PathMatch.Prefix(prefix.value());
            case StringMatch.Regex regex -> new PathMatch.Regex(regex.pattern());
            case StringMatch.Present _ -> new PathMatch.Prefix("/");
        };
    }

    /** A condition on what every request has: one that only asks for its presence is none. */
    private static Optional<StringMatch> condition(Fields match, String name) {
        return match.object(name).flatMap(f -> stringMatch(f, false)).filter(m -> !(m instanceof StringMatch.Present));
    }

    private static void checkMethod(Fields method) {
        method.string("exact").filter(word -> !Words.isToken(word)).ifPresent(_ -> {
            method.unsupportedForm("exact", "a method such as GET", "no request can have this method");
        });
    }

    private static List<Named> named(Fields match, String field, boolean header, boolean inverted) {
        List<Named> out = new ArrayList<>();
        Optional<Fields> map = match.object(field);
        if (map.isEmpty()) {
            return out;
        }
        for (String name : map.get().names()) {
            if (header && !PSEUDO_HEADERS.contains(name) && !Words.isToken(name)) {
                map.get()
                        .error(
                                name,
                                "a header field, or one of " + String.join(", ", PSEUDO_HEADERS),
                                "not the name of a header field");
                continue;
            }
            String key = header ? name.toLowerCase(Locale.ROOT) : name;
            // A condition without content asks only that the field is there.
            if (map.get().has(name)) {
                map.get()
                        .object(name)
                        .flatMap(f -> inverted ? absence(f) : stringMatch(f, false))
                        .ifPresent(m -> out.add(new Named(key, m, inverted)));
            } else if (header && !inverted) {
                map.get().error(name, "a condition; {} asks only that the field is there", "no condition");
            } else {
                out.add(new Named(key, new StringMatch.Present(), inverted));
            }
        }
        return out;
    }

    /** As {@link #stringMatch}; the regular expression {@code *}, which is none, stands for "present". */
    private static Optional<StringMatch> absence(Fields fields) {
        boolean any = fields.string("regex").filter("*"::equals).isPresent();
        if (!any || fields.has("exact") || fields.has("prefix")) {
            return stringMatch(fields, false);
        }
        fields.done();
        return Optional.of(new StringMatch.Present());
    }

    /** {@code exact}, {@code prefix} or {@code regex}; an empty mapping means "present". */
    static Optional<StringMatch> stringMatch(Fields fields, boolean anyPrefix) {
        Optional<String> exact = fields.string("exact");
        Optional<String> prefix = fields.string("prefix");
        Optional<String> regex = IstioFields.regex(fields, "regex");
        fields.done();
        int given = (fields.has("exact") ? 1 : 0) + (fields.has("prefix") ? 1 : 0) + (fields.has("regex") ? 1 : 0);
        if (given > 1) {
            fields.error("", "exactly one of exact, prefix and regex", "several conditions");
            return Optional.empty();
        }
        if (given == 0) {
            return Optional.of(new StringMatch.Present());
        }
        if (!anyPrefix && prefix.isPresent() && prefix.get().isEmpty()) {
            fields.error("prefix", "a text that is not empty, or no condition", "an empty prefix");
            return Optional.empty();
        }
        return exact.<StringMatch>map(StringMatch.Exact::new)
                .or(() -> prefix.map(StringMatch.Prefix::new))
                .or(() -> regex.map(StringMatch.Regex::new));
    }
}
