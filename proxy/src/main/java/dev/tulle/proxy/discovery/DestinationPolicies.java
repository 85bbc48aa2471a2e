package dev.tulle.proxy.discovery;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Authorizer;
import dev.tulle.model.Workload;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The authorization policies of the workload behind an endpoint, followed over xDS: the workload says which apply, each
 * is followed by its name. What is not known is never taken for permission: until every policy that applies has come,
 * there is no answer; a policy that has gone while the workload still names it stays in force as it was, and so do all of
 * them when the workload goes.
 *
 * <p>Changed on the thread that brings the news, read by any.
 */
public final class DestinationPolicies extends OnDemand {
    private final XdsClient xds;
    private final String workloadName;
    private final String namespace;
    private final List<Candidate> candidates = new ArrayList<>();
    private final List<Runnable> watchers = new CopyOnWriteArrayList<>();
    private final Map<String, FollowedPolicy> followed = new HashMap<>();
    private volatile @Nullable Authorizer authorizer;
    private @Nullable Authorizer lastOfWorkload;
    private boolean closed;

    /**
     * Begins to follow.
     *
     * @param names under which the workload may be found, the likeliest first
     * @param workloadName the workload that the endpoint is said to belong to; empty when nobody said
     * @param namespace its namespace
     */
    DestinationPolicies(XdsClient xds, List<String> names, String workloadName, String namespace) {
        this.xds = xds;
        this.workloadName = workloadName;
        this.namespace = namespace;
        names.forEach(name -> candidates.add(new Candidate(name)));
        if (candidates.isEmpty()) {
            authorizer = Authorizer.NONE;
        } else {
            candidates.getFirst().watch();
        }
    }

    /** What decides on requests to the workload; null while that is not known. */
    public @Nullable Authorizer authorizer() {
        return authorizer;
    }

    @Override
    public boolean isKnown() {
        return authorizer != null;
    }

    synchronized void close() {
        closed = true;
        candidates.forEach(Candidate::close);
        followed.values().forEach(FollowedPolicy::close);
        followed.clear();
        // Whoever still holds it must not rely on what may be outdated.
        authorizer = null;
    }

    /** Told, on any thread, of every change after which there is an answer, until {@link #unwatch}. */
    public void watch(Runnable watcher) {
        watchers.add(watcher);
    }

    /** Not told any more. */
    public void unwatch(Runnable watcher) {
        watchers.remove(watcher);
    }

    private void changed() {
        synchronized (this) {
            if (closed) {
                return;
            }
            Authorizer next = decide();
            authorizer = next;
            if (next == null) {
                return;
            }
        }
        tellWaiting();
        watchers.forEach(Runnable::run);
    }

    private @Nullable Authorizer decide() {
        boolean others = false;
        for (Candidate candidate : candidates) {
            candidate.watch();
            if (!candidate.answered) {
                return null;
            }
            Workload workload = candidate.workload;
            if (workload != null && isMeant(workload)) {
                lastOfWorkload = of(workload.policies());
                return lastOfWorkload;
            }
            others |= workload != null;
        }
        if (workloadName.isEmpty()) {
            // An endpoint of which nobody says that it is a workload's is outside the mesh: nothing guards it.
            return Authorizer.NONE;
        }
        // A workload that has just gone: requests that were on their way to it are under its last policies.
        return others ? null : lastOfWorkload;
    }

    /** An address may belong to another workload by now, whose policies say nothing about this one. */
    private boolean isMeant(Workload workload) {
        return workloadName.isEmpty()
                || (workload.name().equals(workloadName) && workload.namespace().equals(namespace));
    }

    private @Nullable Authorizer of(List<String> names) {
        followed.entrySet().removeIf(entry -> {
            boolean gone = !names.contains(entry.getKey());
            if (gone) {
                entry.getValue().close();
            }
            return gone;
        });
        List<AuthorizationPolicy> policies = new ArrayList<>();
        for (String name : names) {
            FollowedPolicy policy = followed.get(name);
            if (policy == null) {
                policy = new FollowedPolicy();
                followed.put(name, policy);
                policy.subscription = xds.watch(ResourceType.AUTHORIZATION, name, policy);
            }
            AuthorizationPolicy value = policy.value;
            if (value != null) {
                policies.add(value);
            }
        }
        return policies.size() < names.size() ? null : Authorizer.of(policies);
    }

    /** A name under which the workload may be found. */
    private final class Candidate implements ResourceWatcher<Workload> {
        private final String name;
        private @Nullable Subscription subscription;
        private @Nullable Workload workload;
        private boolean answered;

        Candidate(String name) {
            this.name = name;
        }

        void watch() {
            if (subscription == null) {
                subscription = xds.watch(ResourceType.WORKLOAD, name, this);
            }
        }

        void close() {
            Subscription open = subscription;
            if (open != null) {
                open.close();
            }
        }

        private void answer(@Nullable Workload value) {
            synchronized (DestinationPolicies.this) {
                workload = value;
                answered = true;
            }
            changed();
        }

        @Override
        public void onChanged(Workload value) {
            answer(value);
        }

        @Override
        public void onAbsent() {
            answer(null);
        }

        @Override
        public void onTrouble(String reason) {
            // The last answer stays; without one there is no answer, and nothing passes.
        }
    }

    private final class FollowedPolicy implements ResourceWatcher<AuthorizationPolicy> {
        private @Nullable Subscription subscription;
        private @Nullable AuthorizationPolicy value;

        void close() {
            Subscription open = subscription;
            if (open != null) {
                open.close();
            }
        }

        @Override
        public void onChanged(AuthorizationPolicy next) {
            synchronized (DestinationPolicies.this) {
                value = next;
            }
            changed();
        }

        @Override
        public void onAbsent() {
            // The workload still names it, or this would not be watched: it stays in force until that changes.
        }

        @Override
        public void onTrouble(String reason) {
            // The last value stays; without one there is no answer, and nothing passes.
        }
    }
}
