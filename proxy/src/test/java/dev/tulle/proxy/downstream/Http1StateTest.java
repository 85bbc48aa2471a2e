package dev.tulle.proxy.downstream;

import static dev.tulle.proxy.downstream.Http1State.BODY;
import static dev.tulle.proxy.downstream.Http1State.CLOSED;
import static dev.tulle.proxy.downstream.Http1State.HEAD;
import static dev.tulle.proxy.downstream.Http1State.IDLE;
import static dev.tulle.proxy.downstream.Http1State.LINGERING;
import static dev.tulle.proxy.downstream.Http1State.RESPONSE;
import static dev.tulle.proxy.downstream.Http1State.TUNNEL;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.tulle.proxy.downstream.Http1State.Event;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every pair of a state of a client's connection and an event. */
class Http1StateTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // event, then the state after it where it was IDLE, HEAD, BODY, RESPONSE, TUNNEL, LINGERING, CLOSED
                "REQUEST_BEGINS   | HEAD . . . . . .",
                "HEAD_BEFORE_BODY | . BODY . . . . .",
                "HEAD_ALONE       | . RESPONSE . . . . .",
                "BODY_ENDS        | . . RESPONSE . . . .",
                "ANSWERED_EARLY   | . RESPONSE RESPONSE RESPONSE . . .",
                "DONE             | . . . IDLE . . .",
                "UPGRADED         | . . TUNNEL TUNNEL . . .",
                "LINGERS          | . . LINGERING LINGERING . . .",
                "CLOSES           | CLOSED CLOSED CLOSED CLOSED CLOSED CLOSED CLOSED",
            })
    void everyPair(Event event, String after) {
        List<String> expected = Arrays.stream(after.split(" ")).toList();
        List<String> found = Arrays.stream(Http1State.values())
                .map(state -> state.after(event) == null ? "." : String.valueOf(state.after(event)))
                .toList();
        assertEquals(expected, found);
    }

    @Test
    void theTableAboveNamesEveryEvent() {
        assertEquals(9, Event.values().length);
        assertEquals(List.of(IDLE, HEAD, BODY, RESPONSE, TUNNEL, LINGERING, CLOSED), List.of(Http1State.values()));
    }

    @Test
    void noRequestFollowsBytesThatAreNone() {
        for (Http1State from : List.of(TUNNEL, LINGERING, CLOSED)) {
            assertEquals(EnumSet.of(CLOSED), reachable(from), from + " leads to a request");
        }
    }

    @Test
    void aRequestIsAnsweredBeforeTheNext() {
        for (Http1State from : Http1State.values()) {
            for (Event event : Event.values()) {
                if (from.after(event) == IDLE) {
                    assertSame(RESPONSE, from, "after " + event);
                }
            }
        }
    }

    private static Set<Http1State> reachable(Http1State from) {
        Set<Http1State> found = EnumSet.noneOf(Http1State.class);
        for (Event event : Event.values()) {
            Http1State next = from.after(event);
            if (next != null && found.add(next) && next != from) {
                found.addAll(reachable(next));
            }
        }
        return found;
    }
}
