package dev.tulle.proxy.forward;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where a request is on its way to an endpoint and back, and what each event makes of it. Pure. */
enum ForwardState {
    /** Nothing is forwarded. */
    IDLE,
    /** Waiting for the policies of the endpoint's workload, or for the client's identity. */
    AUTHORIZING,
    /** Between two tries. */
    WAITING,
    /** Waiting for a connection. */
    CONNECTING,
    /** The endpoint has it, or as much of it as has come, and owes the answer. */
    SENT,
    /** The answer passes: what goes wrong now is seen by the client. */
    RESPONDING,
    /** Bytes go both ways that are no HTTP any more. */
    TUNNEL;

    /** What happens to a request. */
    enum Event {
        /** It is not known yet whether the endpoint that was chosen may have it. */
        UNDECIDED,
        /** The endpoint may have it, and a connection is asked for. */
        ADMITTED,
        /** It is sent over the connection that was asked for. */
        CONNECTED,
        /** The kernel has sent it. */
        TAKEN,
        /** The try is over without an answer for the client, and another one follows, at once or after a pause. */
        TRIED_AGAIN,
        /** The head of the answer goes to the client. */
        ANSWERED,
        /** The answer makes the connection what was asked for: no HTTP any more. */
        SWITCHED,
        /** The request is over, however it ended. */
        OVER
    }

    private static final Map<ForwardState, Map<Event, ForwardState>> TABLE = table();

    private static Map<ForwardState, Map<Event, ForwardState>> table() {
        Map<ForwardState, Map<Event, ForwardState>> table = new EnumMap<>(ForwardState.class);
        table.put(
                IDLE,
                new EnumMap<>(Map.of(
                        Event.UNDECIDED, AUTHORIZING,
                        Event.ADMITTED, CONNECTING,
                        Event.TAKEN, SENT,
                        Event.OVER, IDLE)));
        table.put(
                AUTHORIZING,
                new EnumMap<>(Map.of(
                        Event.UNDECIDED, AUTHORIZING,
                        Event.ADMITTED, CONNECTING,
                        Event.OVER, IDLE)));
        table.put(
                WAITING,
                new EnumMap<>(Map.of(
                        Event.UNDECIDED, AUTHORIZING,
                        Event.ADMITTED, CONNECTING,
                        Event.OVER, IDLE)));
        table.put(
                CONNECTING,
                new EnumMap<>(Map.of(
                        Event.CONNECTED, SENT,
                        Event.TRIED_AGAIN, WAITING,
                        Event.OVER, IDLE)));
        table.put(
                SENT,
                new EnumMap<>(Map.of(
                        Event.TRIED_AGAIN, WAITING,
                        Event.ANSWERED, RESPONDING,
                        Event.SWITCHED, TUNNEL,
                        Event.OVER, IDLE)));
        table.put(RESPONDING, new EnumMap<>(Map.of(Event.OVER, IDLE)));
        table.put(TUNNEL, new EnumMap<>(Map.of(Event.OVER, IDLE)));
        return table;
    }

    /** The state after an event; null when the event cannot happen here. */
    @Nullable
    ForwardState after(Event event) {
        return TABLE.getOrDefault(this, Map.of()).get(event);
    }
}
