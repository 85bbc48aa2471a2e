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

/** Decodes {@code match} of a VirtualService's rule for requests. */
final class HttpMatchDecoder {
    private HttpMatchDecoder() {}

    /** The alternatives of a rule; one that matches everything when it has none. */
    static List<HttpRule.Match> matches(Fields rule) {
        List<HttpRule.Match> out = new ArrayList<>();
        for (Fields match : rule.objects("match")) {
            out.add(match(match));
        }
        return out.isEmpty() ? List.of(new HttpRule.Match("", RouteMatch.ANY, OptionalInt.empty())) : out;
    }

    private static HttpRule.Match match(Fields match) {
        String name = match.string("name").orElse("");
        PathMatch path = match.object("uri").map(HttpMatchDecoder::path).orElse(new PathMatch.Prefix("/"));
        boolean ignoreCase = match.bool("ignoreUriCase").orElse(false);
        Optional<StringMatch> method = match.object("method").flatMap(HttpMatchDecoder::method);
        List<Named> headers = new ArrayList<>();
        match.object("authority")
                .flatMap(f -> stringMatch(f, false))
                .ifPresent(m -> headers.add(new Named(":authority", m, false)));
        match.object("scheme")
                .flatMap(f -> stringMatch(f, false))
                .ifPresent(m -> headers.add(new Named(":scheme", m, false)));
        headers.addAll(named(match, "headers", true, false));
        headers.addAll(named(match, "withoutHeaders", true, true));
        List<Named> params = named(match, "queryParams", false, false);
        OptionalInt port = match.port("port");
        List<String> gateways = match.strings("gateways");
        if (!gateways.isEmpty() && !gateways.equals(List.of("mesh"))) {
            match.unsupportedValue("gateways", "a gateway", "\"mesh\" or nothing");
        }
        match.unsupported("sourceLabels", "sourceNamespace", "statPrefix");
        match.done();
        return new HttpRule.Match(name, new RouteMatch(path, ignoreCase, method, headers, params), port);
    }

    private static PathMatch path(Fields uri) {
        Optional<StringMatch> match = stringMatch(uri, false);
        return switch (match.orElse(new StringMatch.Prefix("/"))) {
            case StringMatch.Exact exact -> new PathMatch.Exact(exact.value());
            case StringMatch.Prefix prefix -> new PathMatch.Prefix(prefix.value());
            case StringMatch.Regex regex -> new PathMatch.Regex(regex.pattern());
            case StringMatch.Present _ -> new PathMatch.Prefix("/");
        };
    }

    private static Optional<StringMatch> method(Fields fields) {
        Optional<StringMatch> match = stringMatch(fields, false);
        if (match.orElse(null) instanceof StringMatch.Exact exact && !Words.isToken(exact.value())) {
            fields.error("exact", "a method such as GET", "no request can have this method");
        }
        return match;
    }

    private static List<Named> named(Fields match, String field, boolean header, boolean inverted) {
        List<Named> out = new ArrayList<>();
        Optional<Fields> map = match.object(field);
        if (map.isEmpty()) {
            return out;
        }
        for (String name : map.get().names()) {
            if (header && !name.startsWith(":") && !IstioFields.checkHeaderName(map.get(), name, name)) {
                continue;
            }
            String key = header ? name.toLowerCase(Locale.ROOT) : name;
            // An entry without a value asks only that the field is there.
            if (!map.get().has(name)) {
                out.add(new Named(key, new StringMatch.Present(), inverted));
            } else {
                map.get()
                        .object(name)
                        .flatMap(f -> stringMatch(f, true))
                        .ifPresent(m -> out.add(new Named(key, m, inverted)));
            }
        }
        return out;
    }

    /** {@code exact}, {@code prefix} or {@code regex}; an empty mapping means "present" where that is allowed. */
    static Optional<StringMatch> stringMatch(Fields fields, boolean mayBeEmpty) {
        Optional<String> exact = fields.string("exact");
        Optional<String> prefix = fields.string("prefix");
        Optional<String> regex = fields.regex("regex");
        fields.done();
        int given = (fields.has("exact") ? 1 : 0) + (fields.has("prefix") ? 1 : 0) + (fields.has("regex") ? 1 : 0);
        if (given > 1 || (given == 0 && !mayBeEmpty)) {
            fields.error(
                    "", "exactly one of exact, prefix and regex", given > 1 ? "several conditions" : "no condition");
            return Optional.empty();
        }
        if (given == 0) {
            return Optional.of(new StringMatch.Present());
        }
        return exact.<StringMatch>map(StringMatch.Exact::new)
                .or(() -> prefix.map(StringMatch.Prefix::new))
                .or(() -> regex.map(StringMatch.Regex::new));
    }
}
