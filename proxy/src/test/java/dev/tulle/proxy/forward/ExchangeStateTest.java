package dev.tulle.proxy.forward;

import static dev.tulle.proxy.forward.ExchangeState.CHOOSING;
import static dev.tulle.proxy.forward.ExchangeState.FILTERING;
import static dev.tulle.proxy.forward.ExchangeState.FORWARDING;
import static dev.tulle.proxy.forward.ExchangeState.IDLE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.proxy.forward.ExchangeState.Event;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every pair of a state of an exchange and an event. */
class ExchangeStateTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // event, then the state after it where it was IDLE, CHOOSING, FILTERING, FORWARDING
                "ASKED     | CHOOSING . . .",
                "HELD      | FILTERING FILTERING FILTERING .",
                "FORWARDED | FORWARDING FORWARDING FORWARDING .",
                "OVER      | IDLE IDLE IDLE IDLE",
            })
    void everyPair(Event event, String after) {
        List<String> expected = Arrays.stream(after.split(" ")).toList();
        List<String> found = Arrays.stream(ExchangeState.values())
                .map(state -> state.after(event) == null ? "." : String.valueOf(state.after(event)))
                .toList();
        assertEquals(expected, found);
    }

    @Test
    void theTableAboveNamesEveryEvent() {
        assertEquals(4, Event.values().length);
        assertEquals(List.of(IDLE, CHOOSING, FILTERING, FORWARDING), List.of(ExchangeState.values()));
    }
}
