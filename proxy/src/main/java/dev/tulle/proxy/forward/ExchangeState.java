package dev.tulle.proxy.forward;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How far one request has come before it is forwarded, and what each event makes of it. Pure. */
enum ExchangeState {
    /** No request, or one whose head is still being read. */
    IDLE,
    /** Waiting for the service that the request names. */
    CHOOSING,
    /** A filter holds the request back. */
    FILTERING,
    /** It is forwarded: {@link ForwardState} says more. */
    FORWARDING;

    /** What happens to a request. */
    enum Event {
        /** Its service has to be found. */
        ASKED,
        /** A filter holds it back, perhaps once more. */
        HELD,
        /** An endpoint is to have it, or has it from the kernel. */
        FORWARDED,
        /** The request is over, however it ended. */
        OVER
    }

    private static final Map<ExchangeState, Map<Event, ExchangeState>> TABLE = table();

    private static Map<ExchangeState, Map<Event, ExchangeState>> table() {
        Map<ExchangeState, Map<Event, ExchangeState>> table = new EnumMap<>(ExchangeState.class);
        table.put(
                IDLE,
                new EnumMap<>(Map.of(
                        Event.ASKED, CHOOSING,
                        Event.HELD, FILTERING,
                        Event.FORWARDED, FORWARDING,
                        Event.OVER, IDLE)));
        table.put(
                CHOOSING,
                new EnumMap<>(Map.of(
                        Event.HELD, FILTERING,
                        Event.FORWARDED, FORWARDING,
                        Event.OVER, IDLE)));
        table.put(
                FILTERING,
                new EnumMap<>(Map.of(
                        Event.HELD, FILTERING,
                        Event.FORWARDED, FORWARDING,
                        Event.OVER, IDLE)));
        table.put(FORWARDING, new EnumMap<>(Map.of(Event.OVER, IDLE)));
        return table;
    }

    /** The state after an event; null when the event cannot happen here. */
    @Nullable
    ExchangeState after(Event event) {
        return TABLE.getOrDefault(this, Map.of()).get(event);
    }
}
