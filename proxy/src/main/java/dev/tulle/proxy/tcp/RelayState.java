package dev.tulle.proxy.tcp;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where a connection of bytes is on its way to an endpoint, and what each event makes of it. Pure. */
enum RelayState {
    /** An endpoint is to be chosen. */
    CHOOSING,
    /** Waiting for the policies of the endpoint's workload, or for the client's identity. */
    AUTHORIZING,
    /** Waiting for the endpoint's connection. */
    CONNECTING,
    /** Not allowed as bytes; it may still turn out to speak the other protocol. */
    DENIED,
    /** Bytes go both ways. */
    RELAYING,
    /** Refused, over, or with the other protocol. */
    CLOSED;

    /** What happens to a connection. */
    enum Event {
        /** It is not known yet whether it may reach the endpoint that was chosen. */
        UNDECIDED,
        /** It may, and the endpoint's connection is asked for. */
        ADMITTED,
        /** The endpoint's connection failed, or is of no use any more: another choice. */
        TRIED_AGAIN,
        /** A policy refuses it. */
        DENIED,
        /** Both connections are there. */
        CONNECTED,
        /** Nothing is relayed any more. */
        CLOSES
    }

    private static final Map<RelayState, Map<Event, RelayState>> TABLE = table();

    private static Map<RelayState, Map<Event, RelayState>> table() {
        Map<RelayState, Map<Event, RelayState>> table = new EnumMap<>(RelayState.class);
        table.put(
                CHOOSING,
                new EnumMap<>(Map.of(
                        Event.UNDECIDED, AUTHORIZING,
                        Event.ADMITTED, CONNECTING,
                        Event.DENIED, DENIED,
                        Event.CLOSES, CLOSED)));
        table.put(
                AUTHORIZING,
                new EnumMap<>(Map.of(
                        Event.UNDECIDED, AUTHORIZING,
                        Event.ADMITTED, CONNECTING,
                        Event.DENIED, DENIED,
                        Event.CLOSES, CLOSED)));
        table.put(
                CONNECTING,
                new EnumMap<>(Map.of(
                        Event.TRIED_AGAIN, CHOOSING,
                        Event.DENIED, DENIED,
                        Event.CONNECTED, RELAYING,
                        Event.CLOSES, CLOSED)));
        table.put(DENIED, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        table.put(RELAYING, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        table.put(CLOSED, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        return table;
    }

    /** The state after an event; null when the event cannot happen here. */
    @Nullable
    RelayState after(Event event) {
        return TABLE.getOrDefault(this, Map.of()).get(event);
    }
}
