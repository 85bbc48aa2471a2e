package dev.tulle.xds;

/** A watch that is in force; closing it ends the watch. Thread-safe. */
public interface Subscription extends AutoCloseable {
    /** Ends the watch; the watcher is not called again once its current call, if any, has returned. Idempotent. */
    @Override
    void close();
}
