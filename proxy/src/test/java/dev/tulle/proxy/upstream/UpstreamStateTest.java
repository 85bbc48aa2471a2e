package dev.tulle.proxy.upstream;

import static dev.tulle.proxy.upstream.UpstreamState.CHUNKED;
import static dev.tulle.proxy.upstream.UpstreamState.CLOSED;
import static dev.tulle.proxy.upstream.UpstreamState.HEAD;
import static dev.tulle.proxy.upstream.UpstreamState.IDLE;
import static dev.tulle.proxy.upstream.UpstreamState.LENGTH;
import static dev.tulle.proxy.upstream.UpstreamState.LENT;
import static dev.tulle.proxy.upstream.UpstreamState.TUNNEL;
import static dev.tulle.proxy.upstream.UpstreamState.UNTIL_CLOSE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tulle.proxy.upstream.UpstreamState.Event;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every pair of a state of a connection to an endpoint and an event. */
class UpstreamStateTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // event, then the state after it where it was
                // IDLE, HEAD, LENGTH, CHUNKED, UNTIL_CLOSE, TUNNEL, LENT, CLOSED
                "ASKED          | HEAD . . . . . . .",
                "TAKEN          | LENGTH . . . . . . .",
                "LENGTH_FOLLOWS | . LENGTH . . . . . .",
                "CHUNKS_FOLLOW  | . CHUNKED . . . . . .",
                "REST_FOLLOWS   | . UNTIL_CLOSE . . . . . .",
                "SWITCHED       | . TUNNEL . . . . . .",
                "ENDS           | . IDLE IDLE IDLE IDLE . . .",
                "LENT           | LENT . . . . . . .",
                "RECALLED       | . . . . . . IDLE .",
                "CLOSES         | CLOSED CLOSED CLOSED CLOSED CLOSED CLOSED CLOSED CLOSED",
            })
    void everyPair(Event event, String after) {
        List<String> expected = Arrays.stream(after.split(" ")).toList();
        List<String> found = Arrays.stream(UpstreamState.values())
                .map(state -> state.after(event) == null ? "." : String.valueOf(state.after(event)))
                .toList();
        assertEquals(expected, found);
    }

    @Test
    void theTableAboveNamesEveryEvent() {
        assertEquals(10, Event.values().length);
        assertEquals(
                List.of(IDLE, HEAD, LENGTH, CHUNKED, UNTIL_CLOSE, TUNNEL, LENT, CLOSED),
                List.of(UpstreamState.values()));
    }

    @Test
    void noRequestFollowsOneThatIsNotAnswered() {
        for (UpstreamState state : UpstreamState.values()) {
            if (state != IDLE) {
                assertNull(state.after(Event.ASKED), state.name());
                assertNull(state.after(Event.TAKEN), state.name());
                assertNull(state.after(Event.LENT), state.name());
            }
        }
    }

    @Test
    void anImpossibleEventEndsTheConnection() {
        List<String> broken = new ArrayList<>();
        AnswerReader reader = new AnswerReader(new AnswerReader.Owner() {
            @Override
            public void unasked() {
                throw new AssertionError("bytes");
            }

            @Override
            public void switched() {
                throw new AssertionError("switched");
            }

            @Override
            public void broken(String reason, boolean malformed) {
                broken.add(reason + " " + malformed);
            }
        });
        reader.on(Event.LENT);
        assertThrows(IllegalStateException.class, () -> reader.on(Event.ASKED));
        assertEquals(List.of("ASKED where a connection is LENT false"), broken);
    }
}
