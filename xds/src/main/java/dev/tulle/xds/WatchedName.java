package dev.tulle.xds;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One name that a client watches, with the last good value and those who are told. Runs on the client's owner thread.
 */
final class WatchedName {
    /** What the control plane has said about the name. */
    enum State {
        /** Nothing yet. */
        WAITING,
        /** It exists. */
        PRESENT,
        /** It does not exist. */
        ABSENT
    }

    /** One watch: a watcher and the type it asked for, as services and workloads share names. */
    static final class Watch<T> {
        private final ResourceType<T> type;
        private final ResourceWatcher<T> watcher;

        /** Set by any thread; the owner thread calls no closed watch. */
        private volatile boolean closed;

        /** True when the watcher knows whether the resource exists. */
        private boolean told;

        Watch(ResourceType<T> type, ResourceWatcher<T> watcher) {
            this.type = type;
            this.watcher = watcher;
        }

        ResourceType<T> type() {
            return type;
        }

        boolean close() {
            boolean first = !closed;
            closed = true;
            return first;
        }

        private String changed(Object value) {
            told = true;
            return guard(() -> {
                if (type.modelType().isInstance(value)) {
                    watcher.onChanged(type.modelType().cast(value));
                } else {
                    watcher.onAbsent();
                }
            });
        }

        private String absent() {
            told = true;
            return guard(watcher::onAbsent);
        }

        private void trouble(String reason) {
            guard(() -> watcher.onTrouble(reason));
        }

        /** Returns why the watcher cannot use what it is told; empty when it can. */
        private String guard(Runnable call) {
            if (closed) {
                return "";
            }
            try {
                call.run();
                return "";
            } catch (UnusableResourceException e) {
                return String.valueOf(e.getMessage());
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                LOG.log(System.Logger.Level.ERROR, "a watcher of a " + type + " failed", e);
                return "the client failed: " + e;
            }
        }
    }

    private static final System.Logger LOG = System.getLogger(WatchedName.class.getName());

    private final List<Watch<?>> watches = new ArrayList<>();
    private State state = State.WAITING;
    private @Nullable Object value;
    private String version = "";

    /** Why the value is not used; empty when it is. */
    private String refused = "";

    State state() {
        return state;
    }

    /** The version of the last value that is used; empty when there is none. */
    String version() {
        return version;
    }

    boolean isWatched() {
        return !watches.isEmpty();
    }

    /** Adds a watch, which is told of the present state by {@link #tellKnown}. */
    void add(Watch<?> watch) {
        watches.add(watch);
    }

    /** Tells a new watch what is known, unless it has been told meanwhile. */
    void tellKnown(Watch<?> watch) {
        Object known = value;
        if (watch.told) {
            return;
        }
        if (state == State.PRESENT && known != null) {
            watch.changed(known);
        } else if (state == State.ABSENT) {
            watch.absent();
        }
    }

    void remove(Watch<?> watch) {
        watches.remove(watch);
    }

    /**
     * The resource exists with this value.
     *
     * @return why a watcher cannot use it; empty when all do
     */
    String present(Object next, String nextVersion) {
        boolean news = state != State.PRESENT || !next.equals(value) || !refused.isEmpty();
        state = State.PRESENT;
        value = next;
        if (news) {
            refused = firstOf(watch -> watch.changed(next));
        }
        if (refused.isEmpty()) {
            version = nextVersion;
        }
        return refused;
    }

    /**
     * The resource does not exist.
     *
     * @return why a watcher cannot do without it; empty when all can
     */
    String absent() {
        boolean news = state != State.ABSENT || !refused.isEmpty();
        state = State.ABSENT;
        value = null;
        version = "";
        if (news) {
            refused = firstOf(Watch::absent);
        }
        return refused;
    }

    private String firstOf(Function<Watch<?>, String> told) {
        String first = "";
        for (Watch<?> watch : List.copyOf(watches)) {
            String reason = told.apply(watch);
            first = first.isEmpty() ? reason : first;
        }
        return first;
    }

    /** Something is wrong; the last good value stays. */
    void trouble(String reason) {
        List.copyOf(watches).forEach(watch -> watch.trouble(reason));
    }
}
