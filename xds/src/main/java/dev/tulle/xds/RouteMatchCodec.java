package dev.tulle.xds;

import com.google.protobuf.BoolValue;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import dev.tulle.model.regex.Regex;
import dev.tulle.xds.proto.envoy.config.route.v3.HeaderMatcher;
import dev.tulle.xds.proto.envoy.config.route.v3.QueryParameterMatcher;
import dev.tulle.xds.proto.envoy.config.route.v3.RouteMatch;
import dev.tulle.xds.proto.envoy.type.matcher.v3.RegexMatcher;
import dev.tulle.xds.proto.envoy.type.matcher.v3.StringMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@link dev.tulle.model.RouteMatch} as Envoy's RouteMatch; the method is a condition on {@code :method}. */
final class RouteMatchCodec {
    private static final String METHOD = ":method";

    private RouteMatchCodec() {}

    static RouteMatch encode(dev.tulle.model.RouteMatch match) {
        RouteMatch.Builder out = RouteMatch.newBuilder();
        switch (match.path()) {
            case PathMatch.Exact exact -> out.setPath(exact.path());
            case PathMatch.Prefix prefix -> out.setPrefix(prefix.prefix());
            // "Every segment" is the prefix "/": Envoy has no segment prefix without a segment.
            case PathMatch.SegmentPrefix segment
            when segment.prefix().isEmpty() || segment.prefix().equals("/") -> out.setPrefix("/");
            case PathMatch.SegmentPrefix segment -> out.setPathSeparatedPrefix(segment.prefix());
            case PathMatch.Regex regex -> out.setSafeRegex(regex(regex.pattern()));
        }
        if (match.ignorePathCase()) {
            out.setCaseSensitive(BoolValue.of(false));
        }
        match.method().ifPresent(method -> out.addHeaders(header(new Named(METHOD, method, false))));
        match.headers().forEach(named -> out.addHeaders(header(named)));
        match.queryParams().forEach(named -> out.addQueryParameters(query(named)));
        return out.build();
    }

    static dev.tulle.model.RouteMatch decode(RouteMatch match) {
        PathMatch path =
                switch (match.getPathSpecifierCase()) {
                    case PATH -> new PathMatch.Exact(match.getPath());
                    case PREFIX -> new PathMatch.Prefix(match.getPrefix());
                    case PATH_SEPARATED_PREFIX -> new PathMatch.SegmentPrefix(match.getPathSeparatedPrefix());
                    case SAFE_REGEX ->
                        new PathMatch.Regex(taken(match.getSafeRegex().getRegex()));
                    default ->
                        throw new IllegalArgumentException("match " + match.getPathSpecifierCase()
                                + ": expected PATH, PREFIX, PATH_SEPARATED_PREFIX or SAFE_REGEX");
                };
        Optional<StringMatch> method = Optional.empty();
        List<Named> headers = new ArrayList<>();
        for (HeaderMatcher header : match.getHeadersList()) {
            Named named = named(header);
            if (named.name().equals(METHOD) && !named.inverted() && method.isEmpty()) {
                method = Optional.of(named.match());
            } else {
                headers.add(named);
            }
        }
        List<Named> params = new ArrayList<>();
        for (QueryParameterMatcher param : match.getQueryParametersList()) {
            if (param.hasPresentMatch() && !param.getPresentMatch()) {
                throw new IllegalArgumentException(
                        "query parameter " + param.getName() + ": present_match false, expected true");
            }
            params.add(new Named(
                    param.getName(),
                    param.hasStringMatch() ? string(param.getStringMatch()) : new StringMatch.Present(),
                    false));
        }
        boolean ignoreCase =
                match.hasCaseSensitive() && !match.getCaseSensitive().getValue();
        return new dev.tulle.model.RouteMatch(path, ignoreCase, method, headers, params);
    }

    private static HeaderMatcher header(Named named) {
        HeaderMatcher.Builder out =
                HeaderMatcher.newBuilder().setName(named.name()).setInvertMatch(named.inverted());
        if (named.match() instanceof StringMatch.Present) {
            out.setPresentMatch(true);
        } else {
            // An absent header satisfies an inverted condition; Envoy says no to an absent header unless told this.
            out.setStringMatch(string(named.match())).setTreatMissingHeaderAsEmpty(named.inverted());
        }
        return out.build();
    }

    private static Named named(HeaderMatcher header) {
        // A condition on a text is met by an absent header when it is inverted, and only then.
        if (header.hasStringMatch() && header.getTreatMissingHeaderAsEmpty() != header.getInvertMatch()) {
            throw new IllegalArgumentException("header " + header.getName()
                    + ": treat_missing_header_as_empty is expected with invert_match and not without");
        }
        if (!header.hasStringMatch() && header.getTreatMissingHeaderAsEmpty()) {
            throw new IllegalArgumentException(
                    "header " + header.getName() + ": treat_missing_header_as_empty with present_match");
        }
        return switch (header.getHeaderMatchSpecifierCase()) {
            case STRING_MATCH -> new Named(header.getName(), string(header.getStringMatch()), header.getInvertMatch());
            case PRESENT_MATCH ->
                new Named(
                        header.getName(),
                        new StringMatch.Present(),
                        header.getInvertMatch() == header.getPresentMatch());
            default ->
                throw new IllegalArgumentException("header " + header.getName() + ": "
                        + header.getHeaderMatchSpecifierCase() + ", expected STRING_MATCH or PRESENT_MATCH");
        };
    }

    private static QueryParameterMatcher query(Named named) {
        if (named.inverted()) {
            throw new IllegalArgumentException(
                    "query parameter " + named.name() + ": an inverted condition cannot be expressed in xDS");
        }
        QueryParameterMatcher.Builder out = QueryParameterMatcher.newBuilder().setName(named.name());
        if (named.match() instanceof StringMatch.Present) {
            out.setPresentMatch(true);
        } else {
            out.setStringMatch(string(named.match()));
        }
        return out.build();
    }

    static StringMatcher string(StringMatch match) {
        StringMatcher.Builder out = StringMatcher.newBuilder();
        return switch (match) {
            case StringMatch.Exact exact -> out.setExact(exact.value()).build();
            case StringMatch.Prefix prefix
            when prefix.value().isEmpty() ->
                // Envoy refuses an empty prefix; every value has it.
                out.setSafeRegex(regex(".*")).build();
            case StringMatch.Prefix prefix -> out.setPrefix(prefix.value()).build();
            case StringMatch.Regex regex ->
                out.setSafeRegex(regex(regex.pattern())).build();
            case StringMatch.Present present ->
                throw new IllegalArgumentException("not a string condition: " + present);
        };
    }

    static StringMatch string(StringMatcher match) {
        return switch (match.getMatchPatternCase()) {
            case EXACT -> new StringMatch.Exact(match.getExact());
            case PREFIX -> new StringMatch.Prefix(match.getPrefix());
            case SAFE_REGEX -> new StringMatch.Regex(taken(match.getSafeRegex().getRegex()));
            default ->
                throw new IllegalArgumentException(
                        "string match " + match.getMatchPatternCase() + ": expected EXACT, PREFIX or SAFE_REGEX");
        };
    }

    /** A regular expression that can be matched in bounded time. */
    private static String taken(String pattern) {
        Regex.fault(pattern).ifPresent(fault -> {
            throw new IllegalArgumentException("regex '" + pattern + "': " + fault.getMessage(), fault);
        });
        return pattern;
    }

    static RegexMatcher regex(String pattern) {
        return RegexMatcher.newBuilder().setRegex(pattern).build();
    }
}
