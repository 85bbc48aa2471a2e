package dev.tulle.model;

import dev.tulle.model.AuthorizationPolicy.Condition;
import dev.tulle.model.AuthorizationPolicy.Operation;
import java.util.List;

/**
 * What one alternative of a policy's rule still asks about a request, after caller and port matched: all conditions of
 * the operation and all headers must hold.
 *
 * <p>A string can have several {@link Readings}: a path with escapes, an authority with a port, a field sent twice. An
 * ALLOW matches only what it matches in every reading, a DENY also what it matches in one of them, so that no reading of
 * the server behind can do what the policy forbids.
 *
 * @param index the rule's index in its policy, counted from 0
 * @param operation without ports
 */
public record RequestRule(AuthorizationPolicy policy, int index, Operation operation, List<Condition.Header> headers) {
    public RequestRule {
        headers = List.copyOf(headers);
    }

    /** True when nothing is asked: every request matches. */
    public boolean isUnconditional() {
        return headers.isEmpty() && !operation.needsRequest();
    }

    /** True when the request matches. */
    public boolean matches(RequestView request) {
        Operation o = operation;
        boolean cautious = policy.action() == AuthorizationPolicy.Action.ALLOW;
        if (asks(o.methods(), o.notMethods())
                && !Readings.one(request.method()).hold(o.methods(), o.notMethods(), cautious)) {
            return false;
        }
        if (asks(o.paths(), o.notPaths()) && !Readings.ofPath(request.path()).hold(o.paths(), o.notPaths(), cautious)) {
            return false;
        }
        if (asks(o.hosts(), o.notHosts())
                && !Readings.ofAuthority(request.authority()).hold(o.hosts(), o.notHosts(), cautious)) {
            return false;
        }
        for (Condition.Header header : headers) {
            if (!Readings.ofField(request.headers(header.name())).hold(header.values(), header.notValues(), cautious)) {
                return false;
            }
        }
        return true;
    }

    private static boolean asks(List<TextPattern> values, List<TextPattern> not) {
        return !values.isEmpty() || !not.isEmpty();
    }

    /** What it means that this rule matches. */
    Verdict verdict() {
        return new Verdict(
                policy.action() == AuthorizationPolicy.Action.ALLOW,
                policy,
                index,
                "rules[" + index + "] of " + policy.action() + " policy " + policy.name() + " matches");
    }
}
