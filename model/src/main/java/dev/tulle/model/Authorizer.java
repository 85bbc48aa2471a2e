package dev.tulle.model;

import dev.tulle.model.AuthorizationPolicy.Action;
import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import dev.tulle.model.AuthorizationPolicy.Rule;
import dev.tulle.model.AuthorizationPolicy.Source;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * All policies that apply to one workload. The decision has two steps: what the caller and the port settle, once per
 * connection, and what is left to ask about each request ({@link RequestRules}). Immutable, any thread, pure.
 *
 * <p>The order is Istio's: refused if a DENY matches; else allowed if no ALLOW applies or one of them matches; else
 * refused. A condition on the request never matches opaque bytes in an ALLOW, and is left out in a DENY, which so
 * refuses more.
 */
public final class Authorizer {
    /** Without policies: everything passes. */
    public static final Authorizer NONE = new Authorizer(List.of());

    /** What is known before the first request. */
    public enum Early {
        /** Every request passes. */
        ALLOW,
        /** None passes. */
        DENY,
        /** It depends on the request: the kernel alone cannot tell. */
        NEEDS_REQUEST
    }

    private final List<AuthorizationPolicy> policies;
    private final boolean hasAllow;
    /** When no rule matches. */
    private final Verdict otherwise;

    private Authorizer(List<AuthorizationPolicy> policies) {
        this.policies = policies;
        List<String> allowing = policies.stream()
                .filter(p -> p.action() == Action.ALLOW)
                .map(AuthorizationPolicy::name)
                .toList();
        this.hasAllow = !allowing.isEmpty();
        if (hasAllow) {
            String which = allowing.size() == 1 ? "policy " : "policies ";
            String reason = "no rule of the ALLOW " + which + String.join(", ", allowing) + " matches";
            this.otherwise = new Verdict(false, null, -1, reason);
        } else {
            this.otherwise = policies.isEmpty()
                    ? Verdict.NO_POLICY
                    : new Verdict(true, null, -1, "no rule of a DENY policy matches, and no ALLOW policy applies");
        }
    }

    /** The policies of one workload, in any order. */
    public static Authorizer of(Collection<AuthorizationPolicy> policies) {
        return policies.isEmpty()
                ? NONE
                : new Authorizer(policies.stream()
                        .sorted(Comparator.comparing(AuthorizationPolicy::name))
                        .toList());
    }

    /** The policies, by name. */
    public List<AuthorizationPolicy> policies() {
        return policies;
    }

    /** Every port that a policy names; all others are judged alike. */
    public Set<Integer> ports() {
        Set<Integer> ports = new TreeSet<>();
        for (AuthorizationPolicy policy : policies) {
            for (Rule rule : policy.rules()) {
                for (Operation operation : rule.to()) {
                    ports.addAll(operation.ports());
                    ports.addAll(operation.notPorts());
                }
                for (Condition condition : rule.when()) {
                    if (condition instanceof Condition.Port(List<Integer> values, List<Integer> not)) {
                        ports.addAll(values);
                        ports.addAll(not);
                    }
                }
            }
        }
        return ports;
    }

    /** True when nothing is ever refused. */
    public boolean isEmpty() {
        return policies.isEmpty();
    }

    /**
     * What is settled for the connections of a caller to a port, for a data path that does not read requests.
     *
     * @param port the workload's own port
     * @param protocol what is spoken there; where nobody said, both meanings must agree
     */
    public Early early(Caller caller, int port, AppProtocol protocol) {
        if (protocol.isHttp()) {
            return http(caller, port).early();
        }
        Early bytes = tcp(caller, port).allowed() ? Early.ALLOW : Early.DENY;
        return protocol != AppProtocol.AUTO || http(caller, port).early() == bytes ? bytes : Early.NEEDS_REQUEST;
    }

    /** Decides on a connection that carries opaque bytes to the workload's port. */
    public Verdict tcp(Caller caller, int port) {
        for (Action action : List.of(Action.DENY, Action.ALLOW)) {
            for (AuthorizationPolicy policy : policies) {
                for (int i = 0; policy.action() == action && i < policy.rules().size(); i++) {
                    if (!remaining(policy, i, caller, port, false).isEmpty()) {
                        return new RequestRule(policy, i, Operation.ANY, List.of()).verdict();
                    }
                }
            }
        }
        return otherwise;
    }

    /** What is left to ask about the HTTP requests of a caller to the workload's port. */
    public RequestRules http(Caller caller, int port) {
        if (policies.isEmpty()) {
            return RequestRules.NONE;
        }
        List<RequestRule> deny = new ArrayList<>();
        List<RequestRule> allow = new ArrayList<>();
        for (AuthorizationPolicy policy : policies) {
            for (int i = 0; i < policy.rules().size(); i++) {
                (policy.action() == Action.DENY ? deny : allow).addAll(remaining(policy, i, caller, port, true));
            }
        }
        return new RequestRules(deny, !hasAllow, allow, otherwise);
    }

    /** The alternatives left of a rule; none when it cannot match any more. */
    private static List<RequestRule> remaining(
            AuthorizationPolicy policy, int index, Caller caller, int port, boolean http) {
        Rule rule = policy.rules().get(index);
        if (!rule.from().isEmpty() && rule.from().stream().noneMatch(source -> matches(source, caller))) {
            return List.of();
        }
        boolean bytesNeverMatch = !http && policy.action() == Action.ALLOW;
        List<Condition.Header> headers = new ArrayList<>();
        for (Condition condition : rule.when()) {
            switch (condition) {
                case Condition.Header header -> headers.add(header);
                case Condition.Principal(List<TextPattern> values, List<TextPattern> not) -> {
                    if (!matches(values, not, caller.principal())) {
                        return List.of();
                    }
                }
                case Condition.Namespace(List<TextPattern> values, List<TextPattern> not) -> {
                    if (!matches(values, not, caller.namespace())) {
                        return List.of();
                    }
                }
                case Condition.Port(List<Integer> values, List<Integer> not) -> {
                    if (!matches(values, not, port)) {
                        return List.of();
                    }
                }
            }
        }
        if (bytesNeverMatch && !headers.isEmpty()) {
            return List.of();
        }
        List<RequestRule> left = new ArrayList<>();
        for (Operation operation : rule.to().isEmpty() ? List.of(Operation.ANY) : rule.to()) {
            if (matches(operation.ports(), operation.notPorts(), port)
                    && !(bytesNeverMatch && operation.needsRequest())) {
                left.add(new RequestRule(policy, index, operation.withoutPorts(), headers));
            }
        }
        return left;
    }

    private static boolean matches(Source source, Caller caller) {
        return matches(source.principals(), source.notPrincipals(), caller.principal())
                && matches(source.namespaces(), source.notNamespaces(), caller.namespace());
    }

    private static boolean matches(List<TextPattern> values, List<TextPattern> not, String text) {
        return (values.isEmpty() || anyMatches(values, text)) && !anyMatches(not, text);
    }

    private static boolean anyMatches(List<TextPattern> patterns, String text) {
        for (TextPattern pattern : patterns) {
            // Nobody's name matches nothing, not even "*" or an empty prefix.
            if (!text.isEmpty() && pattern.matches(text)) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(List<Integer> values, List<Integer> not, int port) {
        return (values.isEmpty() || values.contains(port)) && !not.contains(port);
    }
}
