package dev.tulle.config;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import dev.tulle.model.PathReadings;
import dev.tulle.model.TextPattern;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Decodes Istio's AuthorizationPolicy. Whatever would make the policy mean less than it says is refused: a field left
 * out without a word would let somebody in.
 */
final class AuthorizationDecoder {
    private static final Map<String, Optional<Action>> ACTIONS = Map.of(
            "ALLOW", Optional.of(Action.ALLOW),
            "DENY", Optional.of(Action.DENY),
            "AUDIT", Optional.empty(),
            "CUSTOM", Optional.empty());

    private static final String HEADERS = "request.headers[";
    private static final String KEYS = "request.headers[NAME], source.principal, source.namespace or destination.port";
    private static final List<String> KNOWN_KEYS = List.of(
            "connection.sni",
            "destination.ip",
            "remote.ip",
            "request.auth.audiences",
            "request.auth.presenter",
            "request.auth.principal",
            "source.ip",
            "source.serviceAccount",
            "source.trustDomain");

    private static final Pattern MAPPED_KEY =
            Pattern.compile("(?:request\\.headers|request\\.auth\\.claims|experimental\\.envoy\\.filters\\.).*\\[.+]");

    private static final int MOST_RULES = 512;

    private AuthorizationDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        boolean trial = DryRun.decode(document);
        return document.object("spec")
                .map(spec -> decodeSpec(manifest, spec, trial))
                .orElse(made(manifest, Map.of(), Action.ALLOW, List.of(), trial));
    }

    private static IstioAuthorization made(
            Manifest manifest, Map<String, String> selector, Action action, List<Rule> rules, boolean trial) {
        String namespace = manifest.ref().namespace();
        return new IstioAuthorization(
                manifest,
                selector,
                new AuthorizationPolicy(
                        AuthorizationPolicy.nameOf(namespace, manifest.ref().name()),
                        IstioAuthorization.scope(namespace, selector),
                        action,
                        rules,
                        manifest.ref()),
                trial);
    }

    private static IstioAuthorization decodeSpec(Manifest manifest, Fields spec, boolean trial) {
        Map<String, String> selector = Map.of();
        Optional<Fields> chosen = spec.object("selector");
        if (chosen.isPresent()) {
            selector = IstioFields.selector(chosen.get(), "matchLabels");
            chosen.get().done();
        }
        Optional<Action> action = spec.choice("action", ACTIONS).orElse(Optional.of(Action.ALLOW));
        if (action.isEmpty()) {
            spec.unsupportedValue("action", "this action", "ALLOW or DENY");
        }
        spec.unsupported("provider", "targetRef", "targetRefs");
        List<Rule> rules = new ArrayList<>();
        for (Fields rule : spec.objects("rules")) {
            rules.add(rule(rule));
        }
        spec.atMost("rules", MOST_RULES);
        if (rules.isEmpty() && spec.count("rules") == 0 && action.equals(Optional.of(Action.DENY))) {
            spec.error("rules", "at least one rule; {} is one that matches everything", "this denies nothing");
        }
        spec.done();
        return made(manifest, selector, action.orElse(Action.DENY), rules, trial);
    }

    private static Rule rule(Fields rule) {
        List<Source> from = new ArrayList<>();
        for (Fields entry : entries(rule, "from")) {
            entry.requiredObject("source").ifPresent(source -> from.add(source(source)));
            entry.done();
        }
        List<Operation> to = new ArrayList<>();
        for (Fields entry : entries(rule, "to")) {
            entry.requiredObject("operation").ifPresent(operation -> to.add(operation(operation)));
            entry.done();
        }
        List<Condition> when = new ArrayList<>();
        for (Fields entry : rule.objects("when")) {
            condition(entry).ifPresent(when::add);
            entry.done();
        }
        rule.done();
        return new Rule(from, to, when);
    }

    /** An empty list would ask nothing, where its writer meant that nothing matches. */
    private static List<Fields> entries(Fields rule, String name) {
        List<Fields> entries = rule.objects(name);
        if (rule.has(name) && entries.isEmpty()) {
            rule.unsupportedForm(name, "at least one entry, or no such field", "an empty list");
        }
        return entries;
    }

    private static Source source(Fields source) {
        source.unsupported(
                "ipBlocks",
                "notIpBlocks",
                "notRemoteIpBlocks",
                "notRequestPrincipals",
                "notServiceAccounts",
                "notTrustDomains",
                "remoteIpBlocks",
                "requestPrincipals",
                "serviceAccounts",
                "trustDomains");
        Source made = new Source(
                principals(source, "principals"),
                principals(source, "notPrincipals"),
                patterns(source, "namespaces"),
                patterns(source, "notNamespaces"));
        notEmpty(source, "a source");
        source.done();
        return made;
    }

    private static Operation operation(Fields operation) {
        Operation made = new Operation(
                ports(operation, "ports"),
                ports(operation, "notPorts"),
                hosts(operation, "hosts"),
                hosts(operation, "notHosts"),
                methods(operation, "methods"),
                methods(operation, "notMethods"),
                paths(operation, "paths"),
                paths(operation, "notPaths"));
        notEmpty(operation, "an operation");
        operation.done();
        return made;
    }

    private static void notEmpty(Fields fields, String what) {
        if (fields.names().stream().allMatch(name -> fields.isEmptyList(name))) {
            fields.error("", "at least one field", what + " that asks nothing");
        }
    }

    private static Optional<Condition> condition(Fields entry) {
        String key = entry.requiredString("key");
        if (entry.count("values") == 0 && entry.count("notValues") == 0) {
            entry.error("values", "values, notValues or both", "this field is required");
        }
        if (key.startsWith(HEADERS) && key.endsWith("]")) {
            String name = key.substring(HEADERS.length(), key.length() - 1);
            if (name.isEmpty()) {
                entry.error("key", "request.headers[NAME]", "not the name of a header field");
            } else if (!Words.isToken(name)) {
                entry.unsupportedForm("key", "request.headers[NAME]", "not the name of a header field");
            }
            return Optional.of(new Condition.Header(
                    name.toLowerCase(Locale.ROOT), patterns(entry, "values"), patterns(entry, "notValues")));
        }
        switch (key) {
            case "source.principal" -> {
                return Optional.of(
                        new Condition.Principal(principals(entry, "values"), principals(entry, "notValues")));
            }
            case "source.namespace" -> {
                return Optional.of(new Condition.Namespace(patterns(entry, "values"), patterns(entry, "notValues")));
            }
            case "destination.port" -> {
                return Optional.of(new Condition.Port(ports(entry, "values"), ports(entry, "notValues")));
            }
            default -> {
                entry.tolerate("values", "notValues");
                if (KNOWN_KEYS.contains(key) || MAPPED_KEY.matcher(key).matches()) {
                    entry.unsupportedValue("key", "this attribute", KEYS);
                } else if (!key.isEmpty()) {
                    entry.error("key", KEYS, "unknown attribute");
                }
                return Optional.empty();
            }
        }
    }

    // ---- lists of values ----

    /** The values of a list that are not empty; an empty list, which asks nothing, is refused. */
    private static List<Item> items(Fields owner, String name) {
        if (owner.isEmptyList(name)) {
            owner.unsupportedForm(name, "at least one value, or no such field", "an empty list");
        }
        List<Item> items = new ArrayList<>();
        for (Item item : owner.texts(name)) {
            if (item.text().isEmpty()) {
                item.error("a value that is not empty", "empty");
            } else {
                items.add(item);
            }
        }
        return items;
    }

    private static TextPattern pattern(Item item, String text) {
        int star = text.indexOf('*', text.startsWith("*") ? 1 : 0);
        if (star >= 0 && (star < text.length() - 1 || text.startsWith("*"))) {
            item.unsupportedForm("a value, PREFIX*, *SUFFIX or *", "a '*' may stand only at one end");
        }
        return TextPattern.parse(text);
    }

    private static List<TextPattern> patterns(Fields owner, String name) {
        List<TextPattern> out = new ArrayList<>();
        for (Item item : items(owner, name)) {
            out.add(pattern(item, item.text()));
        }
        return out;
    }

    private static List<TextPattern> principals(Fields owner, String name) {
        List<TextPattern> out = new ArrayList<>();
        for (Item item : items(owner, name)) {
            if (item.text().startsWith("spiffe:")) {
                item.unsupportedForm(
                        "TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT", "a principal is written without spiffe://");
            }
            out.add(pattern(item, item.text()));
        }
        return out;
    }

    private static List<TextPattern> hosts(Fields owner, String name) {
        List<TextPattern> out = new ArrayList<>();
        for (Item item : items(owner, name)) {
            // Hosts are compared without regard to case.
            out.add(pattern(item, item.text().toLowerCase(Locale.ROOT)));
        }
        return out;
    }

    private static List<TextPattern> methods(Fields owner, String name) {
        List<TextPattern> out = new ArrayList<>();
        for (Item item : items(owner, name)) {
            String bare = item.text().replace("*", "");
            if (!bare.isEmpty() && !Words.isToken(bare)) {
                item.unsupportedForm("a method such as GET", "not a method");
            } else if (!bare.equals(bare.toUpperCase(Locale.ROOT))) {
                item.unsupportedForm(item.text().toUpperCase(Locale.ROOT), "methods are compared with regard to case");
            }
            out.add(pattern(item, item.text()));
        }
        return out;
    }

    private static List<TextPattern> paths(Fields owner, String name) {
        List<TextPattern> out = new ArrayList<>();
        for (Item item : items(owner, name)) {
            String text = item.text();
            Optional<String> fault = PathTemplate.fault(text);
            if (fault.isPresent()) {
                item.error("a path, or a template such as /a/{*} and /a/{**}", fault.get());
                continue;
            }
            if (PathTemplate.isTemplate(text)) {
                item.unsupported("a path template", "a path, PREFIX*, *SUFFIX or *");
                continue;
            }
            checkPath(item, text);
            out.add(pattern(item, text));
        }
        return out;
    }

    private static void checkPath(Item item, String text) {
        if (!text.startsWith("/") && !text.startsWith("*")) {
            item.unsupportedForm("a path that begins with '/', or *SUFFIX", "not a path");
        } else if (text.contains("?") || text.contains("#")) {
            item.unsupportedForm("a path without query", "a policy compares the path only");
        } else {
            String canonical = PathReadings.canonicalOf(text);
            if (canonical == null) {
                item.unsupportedForm("'%' only before two hexadecimal digits", "a broken escape");
            } else if (!canonical.equals(text)) {
                item.unsupportedForm(canonical, "not the form in which paths are compared");
            }
        }
    }

    private static List<Integer> ports(Fields owner, String name) {
        List<Integer> out = new ArrayList<>();
        for (Item item : items(owner, name)) {
            String text = item.text();
            boolean digits = text.chars().allMatch(c -> c >= '0' && c <= '9');
            String significant = text.replaceFirst("^0+(?=.)", "");
            int port = digits && significant.length() <= 5 ? Integer.parseInt(significant) : -1;
            if (port < 0 || port > 65535) {
                item.error("a port from 1 to 65535, in quotes", "not a port");
            } else if (port == 0) {
                item.unsupported("port 0", "a port from 1 to 65535, in quotes");
            } else {
                out.add(port);
            }
        }
        return out;
    }
}
