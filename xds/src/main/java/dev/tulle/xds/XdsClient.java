package dev.tulle.xds;

import java.util.concurrent.Executor;

/**
 * The client half of xDS: subscribes to single resources, on demand, over one delta stream. Thread-safe. While the
 * control plane is away the last good values stay in force and the client reconnects by itself, waiting from 10 ms to 15 s
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

    /** Ends the stream and all watches; watchers are not called again. */
    @Override
    void close();

    /**
     * Has acknowledgements wait. By default each is sent once the watchers were told; a client whose watchers only note
     * what is to be done elsewhere lets that be done first.
     *
     * @param gate is given the sending of each acknowledgement, on the client's thread, and runs it when it is time, on
     *     any thread
     */
    default void acknowledgeThrough(Executor gate) {}
}
