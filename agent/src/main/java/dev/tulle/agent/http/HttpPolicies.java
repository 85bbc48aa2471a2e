package dev.tulle.agent.http;

import dev.tulle.agent.http.HttpConditions.HttpNames;
import dev.tulle.agent.http.HttpTable.ClusterPart;
import dev.tulle.agent.http.HttpTable.Member;
import dev.tulle.agent.http.HttpTable.Rule;
import dev.tulle.agent.http.HttpWhen.Field;
import dev.tulle.agent.http.HttpWhen.PathKind;
import dev.tulle.common.Reason;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Caller;
import dev.tulle.model.RequestRule;
import dev.tulle.model.RequestRules;
import dev.tulle.model.TextPattern;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Turns the policies of a table's endpoints into its rules, once for each identity that workloads of this node have. An
 * ALLOW becomes no wider and a DENY no narrower than it is: what is then not shown to be allowed is the proxy's, which
 * decides again. Used for one table.
 */
final class HttpPolicies {
    private static final int ALTERNATIVES_MAX = 8;

    private final HttpNames names;
    private final Map<Alternative, Integer> numbers = new LinkedHashMap<>();
    private final List<Rule> rules = new ArrayList<>();
    private final Map<Caller, Integer> concerns = new HashMap<>();

    /**
     * Who may call, and what applies to the endpoints.
     *
     * @param callers the identities of this node's workloads
     * @param authorizers the policies of an endpoint; empty when they are not known
     */
    record Input(Set<Caller> callers, Function<Member, Optional<Authorizer>> authorizers) {
        /** Without policies. */
        static final Input NONE = new Input(Set.of(), _ -> Optional.of(Authorizer.NONE));

        Input {
            callers = Set.copyOf(callers);
        }
    }

    /** Rules and whom they concern, or why the kernel cannot decide. */
    record Outcome(List<Rule> rules, boolean anyAllow, Map<Caller, Integer> concerns, Reason reason, String text) {
        static Outcome toProxy(Reason reason, String text) {
            return new Outcome(List.of(), false, Map.of(), reason, text);
        }
    }

    private record Alternative(HttpWhen when, boolean allow) {}

    private HttpPolicies(HttpNames names) {
        this.names = names;
    }

    static Outcome compile(List<ClusterPart> parts, HttpNames names, Input input) {
        Map<Authorizer, Set<Integer>> applying = new LinkedHashMap<>();
        for (ClusterPart part : parts) {
            for (Member member : part.members()) {
                Optional<Authorizer> authorizer = input.authorizers().apply(member);
                if (authorizer.isEmpty()) {
                    return Outcome.toProxy(
                            Reason.HTTP_UNKNOWN, "the policies of endpoint " + member + " are not known yet");
                }
                applying.computeIfAbsent(authorizer.get(), _ -> new java.util.TreeSet<>())
                        .add(member.port());
            }
        }
        if (applying.keySet().stream().allMatch(Authorizer::isEmpty)) {
            return new Outcome(List.of(), false, Map.of(), Reason.NONE, "");
        }
        Map<Caller, RequestRules> asked = new TreeMap<>(java.util.Comparator.comparing(Caller::principal));
        boolean anyAllow = false;
        for (Caller caller : input.callers()) {
            RequestRules first = null;
            for (Map.Entry<Authorizer, Set<Integer>> one : applying.entrySet()) {
                for (int port : one.getValue()) {
                    RequestRules rules = one.getKey().http(caller, port);
                    if (first != null && !isSame(first, rules)) {
                        return Outcome.toProxy(
                                Reason.NEEDS_POLICY, "other authorization policies apply to some of the endpoints");
                    }
                    first = rules;
                }
            }
            if (first != null) {
                asked.put(caller, first);
                anyAllow |= !first.allowsRest();
            }
        }
        return new HttpPolicies(names).of(asked, anyAllow);
    }

    private static boolean isSame(RequestRules one, RequestRules other) {
        return one.allowsRest() == other.allowsRest()
                && one.deny().equals(other.deny())
                && one.allow().equals(other.allow());
    }

    private Outcome of(Map<Caller, RequestRules> asked, boolean anyAllow) {
        // What refuses must fit; what allows may be left out.
        for (Map.Entry<Caller, RequestRules> one : asked.entrySet()) {
            for (RequestRule rule : one.getValue().deny()) {
                if (!add(one.getKey(), rule, false)) {
                    return Outcome.toProxy(
                            Reason.HTTP_TOO_LARGE, "its DENY policies have more than " + HttpLimits.RULES + " rules");
                }
            }
        }
        asked.forEach((caller, rules) -> {
            concerns.putIfAbsent(caller, 0);
            rules.allow().forEach(rule -> add(caller, rule, true));
        });
        // Callers that are allowed may come any moment; their first connection must find the service ready for them.
        boolean someAllowed =
                asked.values().stream().anyMatch(one -> !one.allow().isEmpty());
        if (anyAllow && someAllowed && rules.stream().noneMatch(Rule::allow)) {
            return Outcome.toProxy(Reason.NEEDS_POLICY, "no rule of its ALLOW policies can be proven by the kernel");
        }
        return new Outcome(rules, anyAllow, concerns, Reason.NONE, "");
    }

    /** Adds what a rule asks; false when it does not fit. */
    private boolean add(Caller caller, RequestRule rule, boolean allow) {
        List<HttpWhen> alternatives = allow ? narrow(rule) : wide(rule);
        for (HttpWhen when : alternatives) {
            Alternative key = new Alternative(when, allow);
            Integer number = numbers.get(key);
            if (number == null) {
                if (rules.size() == HttpLimits.RULES) {
                    return false;
                }
                number = rules.size();
                numbers.put(key, number);
                rules.add(new Rule(when, allow, rule.policy().name()));
            }
            concerns.merge(caller, 1 << number, (a, b) -> a | b);
        }
        return true;
    }

    private static int methods(RequestRule rule) {
        List<TextPattern> values = rule.operation().methods();
        List<TextPattern> not = rule.operation().notMethods();
        int bits = 0;
        for (HttpMethod method : HttpMethod.values()) {
            boolean holds = (values.isEmpty() || values.stream().anyMatch(p -> p.matches(method.name())))
                    && not.stream().noneMatch(p -> p.matches(method.name()));
            bits |= holds ? method.bit() : 0;
        }
        return bits;
    }

    // ---- ALLOW: nothing that the rule might not allow ----

    private List<HttpWhen> narrow(RequestRule rule) {
        int methods = methods(rule);
        if (methods == 0
                || !rule.operation().notPaths().isEmpty()
                || !rule.operation().notHosts().isEmpty()) {
            return List.of();
        }
        List<HttpWhen> whens = new ArrayList<>();
        if (rule.operation().paths().isEmpty()) {
            whens.add(new HttpWhen(PathKind.ANY, "", methods, List.of()));
        }
        for (TextPattern pattern : rule.operation().paths()) {
            HttpWhen when =
                    switch (pattern) {
                        case TextPattern.Exact(String text)
                        when isPath(text) -> new HttpWhen(PathKind.EXACT, text, methods, List.of());
                        case TextPattern.Prefix(String text)
                        when isPath(text) -> new HttpWhen(PathKind.PREFIX, text, methods, List.of());
                        case TextPattern.Present() -> new HttpWhen(PathKind.ANY, "", methods, List.of());
                        default -> null;
                    };
            if (when != null) {
                whens.add(when);
            }
        }
        if (!rule.operation().hosts().isEmpty()) {
            whens = times(whens, hosts(rule.operation().hosts()));
        }
        for (Condition.Header header : rule.headers()) {
            if (!header.values().isEmpty()) {
                whens = times(whens, values(header));
            }
            for (TextPattern pattern : header.notValues()) {
                whens = times(whens, List.of(not(header.name(), pattern)));
            }
        }
        return whens;
    }

    private static boolean isPath(String text) {
        return text.startsWith("/")
                && text.length() <= HttpLimits.PATH
                && text.chars().allMatch(c -> c > ' ' && c < 0x7f);
    }

    /** Host names as they are mostly sent: in lower case. */
    private static List<Field> hosts(List<TextPattern> patterns) {
        List<Field> fields = new ArrayList<>();
        for (TextPattern pattern : patterns) {
            if (pattern instanceof TextPattern.Exact(String text) && text.equals(text.toLowerCase(Locale.ROOT))) {
                fields.addAll(equal("host", text));
            }
        }
        return fields;
    }

    private static List<Field> values(Condition.Header header) {
        List<Field> fields = new ArrayList<>();
        for (TextPattern pattern : header.values()) {
            switch (pattern) {
                case TextPattern.Exact(String text) -> fields.addAll(equal(header.name(), text));
                case TextPattern.Present() -> fields.add(new Field(header.name(), true, "", false));
                case TextPattern.Prefix _, TextPattern.Suffix _ -> {
                    // Nothing that the kernel can look at.
                }
            }
        }
        return fields;
    }

    /** Whatever must not be there is not there when there is nothing. */
    private static Field not(String name, TextPattern pattern) {
        if (pattern instanceof TextPattern.Exact(String text)) {
            for (Field field : equal(name, text)) {
                return new Field(name, false, field.value(), true);
            }
        }
        return new Field(name, true, "", true);
    }

    /** The condition that a field has a value, if the kernel can look at it. */
    private static List<Field> equal(String name, String value) {
        return HttpConditions.isPlainValue(value) ? List.of(new Field(name, false, value, false)) : List.of();
    }

    /** Every alternative with every field; those that cannot be kept are left out. */
    private List<HttpWhen> times(List<HttpWhen> whens, List<Field> fields) {
        List<HttpWhen> product = new ArrayList<>();
        for (HttpWhen when : whens) {
            for (Field field : fields) {
                if (product.size() < ALTERNATIVES_MAX
                        && when.fields().size() < HttpLimits.FIELDS
                        && names.take(field.name())) {
                    List<Field> more = new ArrayList<>(when.fields());
                    more.add(field);
                    product.add(new HttpWhen(when.pathKind(), when.path(), when.methods(), more));
                }
            }
        }
        return product;
    }

    // ---- DENY: everything that the rule might deny ----

    private List<HttpWhen> wide(RequestRule rule) {
        int methods = methods(rule);
        if (methods == 0) {
            return List.of();
        }
        List<Field> fields = new ArrayList<>();
        for (Condition.Header header : rule.headers()) {
            wide(header).stream()
                    .filter(field -> fields.size() < HttpLimits.FIELDS && names.take(field.name()))
                    .forEach(fields::add);
        }
        List<TextPattern> paths = rule.operation().paths();
        if (paths.isEmpty() || paths.size() > ALTERNATIVES_MAX) {
            return List.of(new HttpWhen(PathKind.ANY, "", methods, fields));
        }
        return paths.stream().map(pattern -> wide(pattern, methods, fields)).toList();
    }

    private static HttpWhen wide(TextPattern pattern, int methods, List<Field> fields) {
        if (pattern instanceof TextPattern.Exact(String text) && isPath(text)) {
            return new HttpWhen(PathKind.EXACT, text, methods, fields);
        }
        String begin =
                switch (pattern) {
                    case TextPattern.Exact(String text) -> text;
                    case TextPattern.Prefix(String text) -> text;
                    case TextPattern.Suffix _, TextPattern.Present _ -> "";
                };
        int plain = 0;
        while (plain < Math.min(begin.length(), HttpLimits.PATH)
                && begin.charAt(plain) > ' '
                && begin.charAt(plain) < 0x7f) {
            plain++;
        }
        return plain == 0
                ? new HttpWhen(PathKind.ANY, "", methods, fields)
                : new HttpWhen(PathKind.PREFIX, begin.substring(0, plain), methods, fields);
    }

    private static List<Field> wide(Condition.Header header) {
        List<Field> fields = new ArrayList<>();
        if (!header.values().isEmpty()) {
            List<Field> equal =
                    header.values().size() == 1 && header.values().getFirst() instanceof TextPattern.Exact(String text)
                            ? equal(header.name(), text)
                            : List.of();
            fields.addAll(equal.isEmpty() ? List.of(new Field(header.name(), true, "", false)) : equal);
        }
        for (TextPattern pattern : header.notValues()) {
            switch (pattern) {
                case TextPattern.Exact(String text) ->
                    equal(header.name(), text).stream()
                            .map(field -> new Field(field.name(), false, field.value(), true))
                            .forEach(fields::add);
                case TextPattern.Present() -> fields.add(new Field(header.name(), true, "", true));
                case TextPattern.Prefix _, TextPattern.Suffix _ -> {
                    // Left out: so more is taken for denied.
                }
            }
        }
        return fields;
    }
}
