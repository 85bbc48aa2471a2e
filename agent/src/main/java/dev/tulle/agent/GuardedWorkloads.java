package dev.tulle.agent;

import dev.tulle.model.Workload;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.stream.Collectors;

/**
 * Which of this node's workloads have authorization policies: who calls such a workload by its own address is taken
 * through the node proxy too, which asks them. Owner thread only.
 */
final class GuardedWorkloads implements AutoCloseable {
    private static final class Followed implements AutoCloseable {
        private final Subscription subscription;
        private boolean guarded;

        Followed(Subscription subscription, boolean guarded) {
            this.subscription = subscription;
            this.guarded = guarded;
        }

        @Override
        public void close() {
            subscription.close();
        }
    }

    private final XdsClient xds;
    private final Executor owner;
    private final Runnable changed;
    private final Map<String, Followed> followed = new HashMap<>();

    /** @param changed called on the owner thread after a change */
    GuardedWorkloads(XdsClient xds, Executor owner, Runnable changed) {
        this.xds = xds;
        this.owner = owner;
        this.changed = changed;
    }

    /**
     * Follows a workload.
     *
     * @param key its key on this node
     * @param uid its name in the mesh
     * @param adopted true for one of an earlier agent: it may be guarded until the control plane has answered
     */
    void follow(String key, String uid, boolean adopted) {
        Subscription subscription = xds.watch(ResourceType.WORKLOAD, uid, new ResourceWatcher<>() {
            @Override
            public void onChanged(Workload value) {
                boolean guarded = !value.policies().isEmpty();
                owner.execute(() -> become(key, guarded));
            }

            @Override
            public void onAbsent() {
                owner.execute(() -> become(key, false));
            }

            @Override
            public void onTrouble(String reason) {
                // The last answer stays.
            }
        });
        Followed before = followed.put(key, new Followed(subscription, adopted));
        if (before != null) {
            before.close();
        }
    }

    private void become(String key, boolean guarded) {
        Followed one = followed.get(key);
        if (one != null && one.guarded != guarded) {
            one.guarded = guarded;
            changed.run();
        }
    }

    /** The workload has left. */
    void forget(String key) {
        Followed one = followed.remove(key);
        if (one != null) {
            one.close();
        }
    }

    /** The keys of workloads that policies guard. */
    Set<String> keys() {
        return followed.entrySet().stream()
                .filter(entry -> entry.getValue().guarded)
                .map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public void close() {
        followed.values().forEach(Followed::close);
        followed.clear();
    }
}
