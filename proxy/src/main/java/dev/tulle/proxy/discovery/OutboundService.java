package dev.tulle.proxy.discovery;

import dev.tulle.model.Listener;
import org.jspecify.annotations.Nullable;

/**
 * A service address and port as the proxy follows it: the current snapshot behind one volatile reference, and those who
 * wait for the first one. Any thread.
 */
public final class OutboundService extends OnDemand {
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
    private volatile @Nullable ServiceSnapshot snapshot;
    private volatile State state = State.UNKNOWN;

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

    /** True where its port says that HTTP/2 is spoken. */
    public boolean saysHttp2() {
        ServiceSnapshot current = snapshot;
        return current != null && current.listener().target() instanceof Listener.Target.Http http && http.http2();
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
        state = next;
        tellWaiting();
    }

    @Override
    public boolean isKnown() {
        return state != State.UNKNOWN;
    }
}
