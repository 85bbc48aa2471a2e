package dev.tulle.proxy.upstream;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where a connection of HTTP/1.1 to an endpoint is, and what each event makes of it. Pure. */
enum UpstreamState {
    /** Nobody waits for an answer. */
    IDLE,
    /** A request was sent, or is being sent; the head of its answer is not whole. */
    HEAD,
    /** In a body of a known length. */
    LENGTH,
    /** In a body in chunks. */
    CHUNKED,
    /** In a body that ends with the connection. */
    UNTIL_CLOSE,
    /** Bytes go both ways. */
    TUNNEL,
    /** Idle here, but with the lender, who may have requests on it. */
    LENT,
    /** Closed. */
    CLOSED;

    /** What happens to a connection. */
    enum Event {
        /** It has a request whose answer has not begun. */
        ASKED,
        /** It has a request of which the client has got the answer's head and beginning. */
        TAKEN,
        /** The head is whole, and a body of a known length follows. */
        LENGTH_FOLLOWS,
        /** The head is whole, and a body in chunks follows. */
        CHUNKS_FOLLOW,
        /** The head is whole, and a body follows that ends with the connection. */
        REST_FOLLOWS,
        /** What follows the head is no HTTP any more. */
        SWITCHED,
        /** The answer is whole. */
        ENDS,
        /** The lender has the connection. */
        LENT,
        /** The lender has it no more. */
        RECALLED,
        /** Nothing more is to be sent or read. */
        CLOSES
    }

    private static final Map<UpstreamState, Map<Event, UpstreamState>> TABLE = table();

    private static Map<UpstreamState, Map<Event, UpstreamState>> table() {
        Map<UpstreamState, Map<Event, UpstreamState>> table = new EnumMap<>(UpstreamState.class);
        table.put(
                IDLE,
                new EnumMap<>(Map.of(
                        Event.ASKED, HEAD,
                        Event.TAKEN, LENGTH,
                        Event.LENT, LENT,
                        Event.CLOSES, CLOSED)));
        table.put(
                HEAD,
                new EnumMap<>(Map.of(
                        Event.LENGTH_FOLLOWS, LENGTH,
                        Event.CHUNKS_FOLLOW, CHUNKED,
                        Event.REST_FOLLOWS, UNTIL_CLOSE,
                        Event.SWITCHED, TUNNEL,
                        Event.ENDS, IDLE,
                        Event.CLOSES, CLOSED)));
        table.put(LENGTH, new EnumMap<>(Map.of(Event.ENDS, IDLE, Event.CLOSES, CLOSED)));
        table.put(CHUNKED, new EnumMap<>(Map.of(Event.ENDS, IDLE, Event.CLOSES, CLOSED)));
        table.put(UNTIL_CLOSE, new EnumMap<>(Map.of(Event.ENDS, IDLE, Event.CLOSES, CLOSED)));
        table.put(TUNNEL, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        table.put(LENT, new EnumMap<>(Map.of(Event.RECALLED, IDLE, Event.CLOSES, CLOSED)));
        table.put(CLOSED, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        return table;
    }

    /** The state after an event; null when the event cannot happen here. */
    @Nullable
    UpstreamState after(Event event) {
        return TABLE.getOrDefault(this, Map.of()).get(event);
    }
}
