package dev.tulle.model;

import java.util.List;

/**
 * What is left to ask about the requests of one caller to one port of one workload; made by {@link Authorizer#http} once
 * per connection, asked for each request. Immutable, any thread, pure.
 */
public final class RequestRules {
    /** No policy applies. */
    public static final RequestRules NONE = new RequestRules(List.of(), true, List.of(), Verdict.NO_POLICY);

    private final List<RequestRule> deny;
    private final boolean allowsRest;
    private final List<RequestRule> allow;
    private final Verdict otherwise;
    // Made once: a verdict that says the same for each request need not be written each time.
    private final Verdict[] denied;
    private final Verdict[] allowed;

    /**
     * Rules.
     *
     * @param otherwise the verdict when nothing matches
     */
    RequestRules(List<RequestRule> deny, boolean allowsRest, List<RequestRule> allow, Verdict otherwise) {
        this.deny = List.copyOf(deny);
        this.allowsRest = allowsRest;
        this.allow = List.copyOf(allow);
        this.otherwise = otherwise;
        this.denied = deny.stream().map(RequestRule::verdict).toArray(Verdict[]::new);
        this.allowed = allow.stream().map(RequestRule::verdict).toArray(Verdict[]::new);
    }

    /** A request that matches one of these is refused. */
    public List<RequestRule> deny() {
        return deny;
    }

    /** True when no ALLOW applies to the workload: what is not denied passes. */
    public boolean allowsRest() {
        return allowsRest;
    }

    /** Unless {@link #allowsRest}, a request must match one of these. */
    public List<RequestRule> allow() {
        return allow;
    }

    /** What is settled without a request. */
    public Authorizer.Early early() {
        if (deny.stream().anyMatch(RequestRule::isUnconditional) || (!allowsRest && allow.isEmpty())) {
            return Authorizer.Early.DENY;
        }
        boolean passes = allowsRest || allow.stream().anyMatch(RequestRule::isUnconditional);
        return deny.isEmpty() && passes ? Authorizer.Early.ALLOW : Authorizer.Early.NEEDS_REQUEST;
    }

    /** Decides on one request, as it is about to be sent to the workload. */
    public Verdict decide(RequestView request) {
        for (int i = 0; i < denied.length; i++) {
            if (deny.get(i).matches(request)) {
                return denied[i];
            }
        }
        if (allowsRest) {
            return otherwise;
        }
        for (int i = 0; i < allowed.length; i++) {
            if (allow.get(i).matches(request)) {
                return allowed[i];
            }
        }
        return otherwise;
    }
}
