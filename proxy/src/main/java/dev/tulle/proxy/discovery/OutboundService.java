package dev.tulle.proxy.discovery;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A service address and port as the proxy follows it: the current snapshot behind one volatile reference, and those who
 * wait for the first one. Any thread.
 */
public final class OutboundService {
    /** What is known. */
    public enum State {
        /** The control plane has not answered yet. */
        UNKNOWN,
        /** There is a snapshot. */
        READY,
        /** The control plane says that there is no such listener. */
        ABSENT
    }

    private final String name;
    private final AtomicInteger users = new AtomicInteger();
    private volatile @Nullable ServiceSnapshot snapshot;
    private volatile State state = State.UNKNOWN;
    private volatile long lastUsed = System.nanoTime();
    private List<Runnable> waiting = new ArrayList<>();

    /** A service that nothing is known of yet. */
    public OutboundService(String name) {
        this.name = name;
    }

    /** A service that never changes. */
    public static OutboundService fixed(String name, ServiceSnapshot snapshot) {
        OutboundService service = new OutboundService(name);
        service.publish(snapshot);
        return service;
    }

    /** The listener's name, {@code address_port}. */
    public String name() {
        return name;
    }

    /** The snapshot in force; null while nothing is known or the listener does not exist. */
    public @Nullable ServiceSnapshot snapshot() {
        return snapshot;
    }

    /** What is known. */
    public State state() {
        return state;
    }

    /** Puts a snapshot in force. */
    public void publish(ServiceSnapshot next) {
        snapshot = next;
        become(State.READY);
    }

    /** The listener does not exist. */
    void absent() {
        snapshot = null;
        become(State.ABSENT);
    }

    private void become(State next) {
        List<Runnable> told;
        synchronized (this) {
            state = next;
            told = waiting;
            waiting = new ArrayList<>();
        }
        told.forEach(Runnable::run);
    }

    /** Calls back once anything is known: at once on this thread, or later on the thread that brings the news. */
    public void whenKnown(Runnable callback) {
        synchronized (this) {
            if (state == State.UNKNOWN) {
                waiting.add(callback);
                return;
            }
        }
        callback.run();
    }

    /** A connection begins to use the service: it is not forgotten until {@link #release}. */
    public void retain() {
        users.incrementAndGet();
    }

    /** A connection ends. */
    public void release() {
        lastUsed = System.nanoTime();
        users.decrementAndGet();
    }

    /** True when nobody has used the service for that long. */
    boolean isIdleFor(long nanos) {
        return users.get() <= 0 && System.nanoTime() - lastUsed > nanos;
    }
}
