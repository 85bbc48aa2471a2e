package dev.tulle.config;

import dev.tulle.config.HttpRule.Mirror;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.WireText;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** What the filters of a rule of an HTTPRoute or GRPCRoute amount to. */
record HttpRouteFilters(
        HeaderMutation headers, Optional<RouteAction> redirect, Optional<Rewrite> rewrite, List<Mirror> mirrors) {
    private static final int PARTS = 1_000_000;

    /** The most entries that a list of Gateway API may have here. */
    private static final int MOST = 16;

    private static final Map<String, String> TYPES = Map.of(
            "RequestHeaderModifier", "requestHeaderModifier",
            "ResponseHeaderModifier", "responseHeaderModifier",
            "RequestRedirect", "requestRedirect",
            "URLRewrite", "urlRewrite",
            "RequestMirror", "requestMirror",
            "CORS", "cors",
            "ExternalAuth", "externalAuth",
            "ExtensionRef", "extensionRef");

    /** Those that a GRPCRoute may have. */
    private static final Map<String, String> GRPC_TYPES = Map.of(
            "RequestHeaderModifier", "requestHeaderModifier",
            "ResponseHeaderModifier", "responseHeaderModifier",
            "RequestMirror", "requestMirror",
            "ExtensionRef", "extensionRef");

    private static final Map<String, String> PATH_TYPES =
            Map.of("ReplaceFullPath", "replaceFullPath", "ReplacePrefixMatch", "replacePrefixMatch");

    /** Filters of a rule. */
    static HttpRouteFilters decode(Fields rule, String namespace, List<HttpRule.Match> matches, boolean grpc) {
        Builder builder = new Builder(namespace, matches, grpc);
        builder.read(rule, true);
        return builder.build();
    }

    /** Filters of a single backend, where only changes of headers are supported. */
    static HeaderMutation headersOnly(Fields backend, boolean grpc) {
        Builder builder = new Builder("", List.of(), grpc);
        builder.read(backend, false);
        return builder.build().headers();
    }

    private static final class Builder {
        private final String namespace;
        private final List<HttpRule.Match> matches;
        private final Map<String, String> types;
        private final List<Mirror> mirrors = new ArrayList<>();
        private Changes request = Changes.NONE;
        private Changes response = Changes.NONE;
        private Optional<RouteAction> redirect = Optional.empty();
        private Optional<Rewrite> rewrite = Optional.empty();

        Builder(String namespace, List<HttpRule.Match> matches, boolean grpc) {
            this.namespace = namespace;
            this.matches = matches;
            this.types = grpc ? GRPC_TYPES : TYPES;
        }

        HttpRouteFilters build() {
            HeaderMutation headers = request.isEmpty() && response.isEmpty()
                    ? HeaderMutation.NONE
                    : new HeaderMutation(request, response);
            return new HttpRouteFilters(headers, redirect, rewrite, List.copyOf(mirrors));
        }

        void read(Fields owner, boolean wholeRule) {
            Set<String> seen = new HashSet<>();
            owner.atMost("filters", MOST);
            for (Fields filter : owner.objects("filters")) {
                if (!filter.has("type")) {
                    filter.requiredString("type");
                }
                Optional<String> field = filter.choice("type", types);
                if (field.isPresent()) {
                    if (!seen.add(field.get()) && !field.get().equals("requestMirror")) {
                        filter.error("type", "each filter once", "two filters of this type");
                    }
                    filter(filter, field.get(), wholeRule);
                } else {
                    filter.tolerate(TYPES.values().toArray(new String[0]));
                }
                filter.done();
            }
            if (redirect.isPresent() && rewrite.isPresent()) {
                owner.error("filters", "RequestRedirect or URLRewrite, not both", "two changes of the URL");
            }
        }

        private void filter(Fields filter, String field, boolean wholeRule) {
            boolean headers = field.endsWith("HeaderModifier");
            boolean known = headers
                    || Set.of("requestRedirect", "urlRewrite", "requestMirror").contains(field);
            if (!known || (!wholeRule && !headers)) {
                filter.unsupportedValue(
                        "type",
                        wholeRule ? "this filter" : "this filter on a single backend",
                        wholeRule ? "another filter" : "RequestHeaderModifier or ResponseHeaderModifier");
                filter.tolerate(field);
                return;
            }
            Optional<Fields> found = filter.requiredObject(field);
            if (found.isEmpty()) {
                return;
            }
            Fields settings = found.get();
            switch (field) {
                case "requestHeaderModifier" -> request = changes(settings);
                case "responseHeaderModifier" -> response = changes(settings);
                case "requestRedirect" -> redirect = Optional.of(redirect(settings));
                case "urlRewrite" -> rewrite = Optional.of(new Rewrite(hostname(settings), path(settings)));
                default -> mirror(settings);
            }
            settings.done();
        }

        private static Optional<String> hostname(Fields settings) {
            Optional<String> host = settings.string("hostname");
            if (host.isPresent() && !Words.isDnsDomain(host.get())) {
                settings.error("hostname", "a host name in lower case", "not a host name");
                return Optional.empty();
            }
            return host;
        }

        private RouteAction redirect(Fields settings) {
            Optional<String> scheme = settings.choice("scheme", Map.of("http", "http", "https", "https"));
            OptionalInt port = settings.port("port");
            int status = settings.integer("statusCode", 300, 399).orElse(302);
            if (!Set.of(301, 302, 303, 307, 308).contains(status)) {
                settings.error("statusCode", "301, 302, 303, 307 or 308", "not such a code");
            }
            return new RouteAction.Redirect(
                    status,
                    scheme,
                    hostname(settings),
                    // Gateway API: a scheme has its usual port with it; without one the port that was asked stays.
                    port.isPresent() ? Optional.of(port.getAsInt()) : scheme.map(Builder::usualPort),
                    path(settings));
        }

        private static int usualPort(String scheme) {
            return scheme.equals("https") ? 443 : 80;
        }

        private Optional<PathRewrite> path(Fields settings) {
            Optional<Fields> found = settings.object("path");
            if (found.isEmpty()) {
                return Optional.empty();
            }
            Fields path = found.get();
            if (!path.has("type")) {
                path.requiredString("type");
            }
            String field = path.choice("type", PATH_TYPES).orElse("replaceFullPath");
            if (!path.has(field)) {
                path.presentString(field);
            }
            String value = path.wire(field, WireText.TARGET).orElse("");
            if (value.length() > 1024) {
                path.error(field, "at most 1024 characters", "too long");
            }
            path.tolerate("type");
            path.done();
            if (field.equals("replaceFullPath")) {
                return Optional.of(new PathRewrite.Full(value));
            }
            if (matches.size() != 1 || !(matches.getFirst().route().path() instanceof PathMatch.SegmentPrefix)) {
                path.error(field, "exactly one match in the rule, of type PathPrefix", "no single prefix to replace");
            }
            return Optional.of(new PathRewrite.MatchedPrefix(value));
        }

        private void mirror(Fields settings) {
            OptionalInt percent = settings.integer("percent", 0, 100);
            int parts = percent.isPresent() ? percent.getAsInt() * (PARTS / 100) : PARTS;
            Optional<Fields> fraction = settings.object("fraction");
            if (settings.has("percent") && settings.has("fraction")) {
                settings.error("fraction", "percent or fraction, not both", "the share is named twice");
            }
            if (fraction.isPresent()) {
                int numerator = fraction.get()
                        .requiredInteger("numerator", 0, Integer.MAX_VALUE)
                        .orElse(0);
                int denominator = fraction.get()
                        .integer("denominator", 1, Integer.MAX_VALUE)
                        .orElse(100);
                if (numerator > denominator) {
                    fraction.get().error("numerator", "at most the denominator", "more than everything");
                }
                fraction.get().done();
                parts = (int) Math.min(PARTS, (long) numerator * PARTS / denominator);
            }
            int share = parts;
            settings.requiredObject("backendRef")
                    .flatMap(ref -> ParentRefs.backend(ref, namespace, 1, HeaderMutation.NONE))
                    .ifPresent(destination -> mirrors.add(new Mirror(destination, share)));
        }

        private static Changes changes(Fields settings) {
            List<String> remove = new ArrayList<>();
            settings.atMost("remove", MOST);
            Set<String> seen = new HashSet<>();
            for (Item item : settings.texts("remove")) {
                if (!seen.add(item.text())) {
                    item.error("each name once", "this name is here twice");
                } else if (!Words.isToken(item.text()) || item.text().equalsIgnoreCase("host")) {
                    item.unsupportedForm("a header field's name, but not Host", "it cannot be removed");
                } else {
                    remove.add(item.text().toLowerCase(Locale.ROOT));
                }
            }
            return new Changes(fields(settings, "set"), fields(settings, "add"), remove);
        }

        private static List<Field> fields(Fields settings, String name) {
            List<Field> out = new ArrayList<>();
            settings.atMost(name, MOST);
            Set<String> seen = new HashSet<>();
            for (Fields entry : settings.objects(name)) {
                // Gateway API: of entries whose names differ by case only the first counts.
                HeaderChanges.gatewayField(entry)
                        .filter(field -> out.stream().noneMatch(o -> o.name().equalsIgnoreCase(field.name())))
                        .ifPresent(out::add);
                if (!seen.add(entry.string("name").orElse(""))) {
                    entry.error("name", "each name once", "this name is here twice");
                }
                entry.done();
            }
            return out;
        }
    }
}
