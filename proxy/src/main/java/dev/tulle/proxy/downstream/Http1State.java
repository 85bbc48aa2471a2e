package dev.tulle.proxy.downstream;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where a client's connection of HTTP/1.1 is, and what each event makes of it. Pure. */
enum Http1State {
    /** Between requests. */
    IDLE,
    /** A request has begun; its head is not whole. */
    HEAD,
    /** The head was read; its body, or what may be one, is still coming. */
    BODY,
    /** The request was read, or what is left of it does not matter; its response is not over. */
    RESPONSE,
    /** Bytes go both ways. */
    TUNNEL,
    /** Our side is closed; what still comes is thrown away. */
    LINGERING,
    /** Closed, or another handler has the connection. */
    CLOSED;

    /** What happens to a connection. */
    enum Event {
        /** The first byte of a request is there. */
        REQUEST_BEGINS,
        /** The head is whole, and a body follows. */
        HEAD_BEFORE_BODY,
        /** The head is whole, and it is the request. */
        HEAD_ALONE,
        /** The body was read to its end. */
        BODY_ENDS,
        /** The request is answered without the rest of it: it was refused, or its connection becomes another's. */
        ANSWERED_EARLY,
        /** The response is sent, and the next request may come. */
        DONE,
        /** What follows the heads of request and response is no HTTP any more. */
        UPGRADED,
        /** The response is sent, and the client may still be sending: its bytes are thrown away for a while. */
        LINGERS,
        /** Nothing more is to be sent or read, or another handler takes the connection over. */
        CLOSES
    }

    private static final Map<Http1State, Map<Event, Http1State>> TABLE = table();

    private static Map<Http1State, Map<Event, Http1State>> table() {
        Map<Http1State, Map<Event, Http1State>> table = new EnumMap<>(Http1State.class);
        table.put(IDLE, new EnumMap<>(Map.of(Event.REQUEST_BEGINS, HEAD, Event.CLOSES, CLOSED)));
        table.put(
                HEAD,
                new EnumMap<>(Map.of(
                        Event.HEAD_BEFORE_BODY, BODY,
                        Event.HEAD_ALONE, RESPONSE,
                        Event.ANSWERED_EARLY, RESPONSE,
                        Event.CLOSES, CLOSED)));
        table.put(
                BODY,
                new EnumMap<>(Map.of(
                        Event.BODY_ENDS, RESPONSE,
                        Event.ANSWERED_EARLY, RESPONSE,
                        Event.UPGRADED, TUNNEL,
                        Event.LINGERS, LINGERING,
                        Event.CLOSES, CLOSED)));
        table.put(
                RESPONSE,
                new EnumMap<>(Map.of(
                        Event.ANSWERED_EARLY, RESPONSE,
                        Event.DONE, IDLE,
                        Event.UPGRADED, TUNNEL,
                        Event.LINGERS, LINGERING,
                        Event.CLOSES, CLOSED)));
        table.put(TUNNEL, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        table.put(LINGERING, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        table.put(CLOSED, new EnumMap<>(Map.of(Event.CLOSES, CLOSED)));
        return table;
    }

    /** The state after an event; null when the event cannot happen here. */
    @Nullable
    Http1State after(Event event) {
        return TABLE.getOrDefault(this, Map.of()).get(event);
    }
}
