package dev.tulle.agent.service;

import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;

/**
 * Resources of one type that are followed by name; what is wanted may change at any time. Owner thread only: values
 * arrive there.
 */
final class Followed<T> implements AutoCloseable {
    private final XdsClient xds;
    private final ResourceType<T> type;
    private final Executor owner;
    private final Runnable changed;
    private final Map<String, Subscription> subscriptions = new HashMap<>();
    private final Map<String, T> values = new HashMap<>();
    private final Set<String> answered = new HashSet<>();

    /**
     * Follows nothing yet.
     *
     * @param changed told on the owner thread that an answer has come
     */
    Followed(XdsClient xds, ResourceType<T> type, Executor owner, Runnable changed) {
        this.xds = xds;
        this.type = type;
        this.owner = owner;
        this.changed = changed;
    }

    /** Follows these and no others. */
    void want(Collection<String> names) {
        for (String name : Set.copyOf(subscriptions.keySet())) {
            if (!names.contains(name)) {
                Subscription over = subscriptions.remove(name);
                values.remove(name);
                answered.remove(name);
                if (over != null) {
                    over.close();
                }
            }
        }
        for (String name : names) {
            if (!subscriptions.containsKey(name)) {
                subscriptions.put(name, () -> {});
                subscriptions.put(name, xds.watch(type, name, new Watcher(name)));
            }
        }
    }

    /** The value; empty while it is not known, and when there is none. */
    Optional<T> get(String name) {
        return Optional.ofNullable(values.get(name));
    }

    /** What is known, by name. */
    Map<String, T> values() {
        return values;
    }

    /** True when the control plane has answered for all of them. */
    boolean isSettled() {
        return answered.containsAll(subscriptions.keySet());
    }

    @Override
    public void close() {
        want(Set.of());
    }

    private final class Watcher implements ResourceWatcher<T> {
        private final String name;

        Watcher(String name) {
            this.name = name;
        }

        private void take(Runnable change) {
            owner.execute(() -> {
                if (subscriptions.containsKey(name)) {
                    change.run();
                    answered.add(name);
                    changed.run();
                }
            });
        }

        @Override
        public void onChanged(T value) {
            take(() -> values.put(name, value));
        }

        @Override
        public void onAbsent() {
            take(() -> values.remove(name));
        }

        @Override
        public void onTrouble(String reason) {
            // The last value stays in force.
        }
    }
}
