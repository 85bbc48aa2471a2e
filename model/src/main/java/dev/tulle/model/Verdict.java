package dev.tulle.model;

import org.jspecify.annotations.Nullable;

/**
 * Whether a connection or request may pass, and who said so.
 *
 * @param policy the policy whose rule matched; null when none did
 * @param rule the index of that rule, counted from 0; -1 when none did
 * @param reason one sentence for people
 */
public record Verdict(boolean allowed, @Nullable AuthorizationPolicy policy, int rule, String reason) {
    /** No policy applies to the workload. */
    public static final Verdict NO_POLICY = new Verdict(true, null, -1, "no policy applies to the workload");

    /** What the policies say is not known: nothing passes. */
    public static Verdict unknown(String reason) {
        return new Verdict(false, null, -1, reason);
    }

    /** The response code details of a refusal, as Istio's proxies write them. */
    public String details() {
        AuthorizationPolicy matched = policy;
        if (matched == null) {
            return "rbac_access_denied_matched_policy[none]";
        }
        int slash = matched.name().indexOf('/');
        return "rbac_access_denied_matched_policy[ns[" + matched.name().substring(0, slash) + "]-policy["
                + matched.name().substring(slash + 1) + "]-rule[" + rule + "]]";
    }
}
