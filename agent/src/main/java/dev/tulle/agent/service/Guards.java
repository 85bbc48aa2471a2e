package dev.tulle.agent.service;

import java.util.Map;
import java.util.Set;

/**
 * What is known of the authorization policies about this node's workloads.
 *
 * @param byKey by the workload's key
 * @param adopted keys of those that an earlier agent had enrolled; not of one that has joined again since
 */
public record Guards(Map<String, Guard> byKey, Set<String> adopted) {
    public Guards {
        byKey = Map.copyOf(byKey);
        adopted = Set.copyOf(adopted);
    }

    /** Of one workload; of one that nobody follows nothing is known. */
    public Guard of(String key) {
        return byKey.getOrDefault(key, new Guard.Unknown());
    }
}
