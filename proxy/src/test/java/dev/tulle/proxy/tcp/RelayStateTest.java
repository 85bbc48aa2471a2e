package dev.tulle.proxy.tcp;

import static dev.tulle.proxy.tcp.RelayState.AUTHORIZING;
import static dev.tulle.proxy.tcp.RelayState.CHOOSING;
import static dev.tulle.proxy.tcp.RelayState.CLOSED;
import static dev.tulle.proxy.tcp.RelayState.CONNECTING;
import static dev.tulle.proxy.tcp.RelayState.DENIED;
import static dev.tulle.proxy.tcp.RelayState.RELAYING;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.tulle.proxy.tcp.RelayState.Event;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every pair of a state of a connection of bytes and an event. */
class RelayStateTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // event, then the state after it where it was
                // CHOOSING, AUTHORIZING, CONNECTING, DENIED, RELAYING, CLOSED
                "UNDECIDED   | AUTHORIZING AUTHORIZING . . . .",
                "ADMITTED    | CONNECTING CONNECTING . . . .",
                "TRIED_AGAIN | . . CHOOSING . . .",
                "DENIED      | DENIED DENIED DENIED . . .",
                "CONNECTED   | . . RELAYING . . .",
                "CLOSES      | CLOSED CLOSED CLOSED CLOSED CLOSED CLOSED",
            })
    void everyPair(Event event, String after) {
        List<String> expected = Arrays.stream(after.split(" ")).toList();
        List<String> found = Arrays.stream(RelayState.values())
                .map(state -> state.after(event) == null ? "." : String.valueOf(state.after(event)))
                .toList();
        assertEquals(expected, found);
    }

    @Test
    void theTableAboveNamesEveryEvent() {
        assertEquals(6, Event.values().length);
        assertEquals(
                List.of(CHOOSING, AUTHORIZING, CONNECTING, DENIED, RELAYING, CLOSED), List.of(RelayState.values()));
    }

    @Test
    void noByteIsRelayedThatWasNotAdmitted() {
        for (RelayState from : RelayState.values()) {
            for (Event event : Event.values()) {
                if (from.after(event) == RELAYING) {
                    assertSame(CONNECTING, from, "after " + event);
                }
                if (from.after(event) == CONNECTING) {
                    assertSame(Event.ADMITTED, event, "where it was " + from);
                }
            }
        }
    }
}
