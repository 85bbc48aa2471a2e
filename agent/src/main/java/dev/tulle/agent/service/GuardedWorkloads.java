package dev.tulle.agent.service;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Workload;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.XdsClient;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Follows the authorization policies of this node's workloads, for the kernel to enforce them. Not to know them is never
 * permission; a policy that has gone while the workload still names it stays in force as it was, and so do all of them
 * when the workload goes. Owner thread only.
 */
public final class GuardedWorkloads implements AutoCloseable {
    private static final class Member {
        final String uid;
        final boolean adopted;
        Guard guard;
        /** The names of the policies that apply; null while nobody has said. */
        @Nullable
        List<String> policies;

        Member(String uid, boolean adopted) {
            this.uid = uid;
            this.adopted = adopted;
            this.guard = adopted ? new Guard.Kept() : new Guard.Unknown();
        }
    }

    private final Runnable changed;
    private final Followed<Workload> workloads;
    private final Followed<AuthorizationPolicy> policies;
    private final Map<String, Member> members = new HashMap<>();
    private final Map<String, AuthorizationPolicy> last = new HashMap<>();
    private Map<Set<AuthorizationPolicy>, Authorizer> authorizers = new HashMap<>();
    private boolean busy;
    private boolean again;

    /** @param changed called on the owner thread after a change */
    public GuardedWorkloads(XdsClient xds, Executor owner, Runnable changed) {
        this.changed = changed;
        this.workloads = new Followed<>(xds, ResourceType.WORKLOAD, owner, this::follow);
        this.policies = new Followed<>(xds, ResourceType.AUTHORIZATION, owner, this::follow);
    }

    /**
     * Follows a workload.
     *
     * @param key its key on this node
     * @param uid its name in the mesh
     * @param adopted true for one of an earlier agent
     */
    public void follow(String key, String uid, boolean adopted) {
        members.put(key, new Member(uid, adopted));
        follow();
    }

    /** The workload has left. */
    public void forget(String key) {
        if (members.remove(key) != null) {
            follow();
        }
    }

    /** What is known now. */
    public Guards guards() {
        Map<String, Guard> byKey = new HashMap<>();
        Set<String> adopted = new HashSet<>();
        members.forEach((key, member) -> {
            byKey.put(key, member.guard);
            if (member.adopted) {
                adopted.add(key);
            }
        });
        return new Guards(byKey, adopted);
    }

    /** Asks for what the answers so far name; an answer may come while it asks. */
    private void follow() {
        again = true;
        if (busy) {
            return;
        }
        busy = true;
        Set<String> named = new HashSet<>();
        while (again) {
            again = false;
            workloads.want(members.values().stream().map(member -> member.uid).collect(Collectors.toSet()));
            named.clear();
            for (Member member : members.values()) {
                workloads.get(member.uid).ifPresent(workload -> member.policies = workload.policies());
                List<String> names = member.policies;
                if (names != null) {
                    named.addAll(names);
                }
            }
            policies.want(named);
        }
        busy = false;
        last.keySet().retainAll(named);
        last.putAll(policies.values());
        if (judge()) {
            changed.run();
        }
    }

    private boolean judge() {
        Map<Set<AuthorizationPolicy>, Authorizer> before = authorizers;
        authorizers = new HashMap<>();
        boolean any = false;
        for (Member member : members.values()) {
            List<String> names = member.policies;
            if (names == null) {
                continue;
            }
            Guard next = last.keySet().containsAll(names) ? known(names, before) : new Guard.Unknown();
            any |= !next.equals(member.guard);
            member.guard = next;
        }
        return any;
    }

    private Guard known(List<String> names, Map<Set<AuthorizationPolicy>, Authorizer> before) {
        Set<AuthorizationPolicy> all = new HashSet<>();
        last.forEach((name, policy) -> {
            if (names.contains(name)) {
                all.add(policy);
            }
        });
        return new Guard.Known(authorizers.computeIfAbsent(all, _ -> {
            Authorizer found = before.get(all);
            return found == null ? Authorizer.of(all) : found;
        }));
    }

    @Override
    public void close() {
        members.clear();
        workloads.close();
        policies.close();
    }
}
