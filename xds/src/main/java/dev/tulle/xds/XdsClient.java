package dev.tulle.xds;

import java.util.function.Consumer;

/**
 * The client half of xDS: subscribes to single resources, on demand, over one delta stream. Thread-safe. While the
 * control plane is away the last good values stay in force and the client reconnects by itself, waiting from 10 to 250 ms
 * between tries; after that only what changed is sent again.
 */
public interface XdsClient extends AutoCloseable {
    /**
     * Watches one resource. Several watches of the same resource share one subscription; a later one is told at once
     * what is known.
     *
     * @param type the kind of resource
     * @param name the resource's name; one that does not exist gets {@link ResourceWatcher#onAbsent} promptly and
     *     {@link ResourceWatcher#onChanged} when it appears
     * @return closing it ends the watch
     */
    <T> Subscription watch(ResourceType<T> type, String name, ResourceWatcher<T> watcher);

    /** The state of the stream and of what it carries. */
    XdsStatus status();

    /**
     * Ends the stream and all watches; watchers are not called again. The control plane is told that nothing of what was
     * received is enforced any more, so that it does not wait for this client.
     */
    @Override
    void close();

    /** As {@link #close}, when what was received stays in force: the control plane goes on to expect this client. */
    default void vanish() {
        close();
    }

    /** Stands between what watchers were told and its acknowledgement. */
    @FunctionalInterface
    interface Gate {
        /**
         * A response has been told to the watchers.
         *
         * @param answer to be called once, on any thread, when it has been carried out: with an empty text, or with the
         *     reason why it could not be, which refuses it
         */
        void pass(Consumer<String> answer);
    }

    /**
     * Has acknowledgements wait. By default each is sent once the watchers were told; a client whose watchers only note
     * what is to be done elsewhere lets that be done first.
     *
     * @param gate called on the client's thread
     */
    default void acknowledgeThrough(Gate gate) {}

    /** What the gate has refused can be carried out now: asks for it again, so that the control plane knows. */
    default void askAgain() {}
}
