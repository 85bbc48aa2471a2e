package dev.tulle.proxy.forward;

import static dev.tulle.proxy.forward.ForwardState.AUTHORIZING;
import static dev.tulle.proxy.forward.ForwardState.CONNECTING;
import static dev.tulle.proxy.forward.ForwardState.IDLE;
import static dev.tulle.proxy.forward.ForwardState.RESPONDING;
import static dev.tulle.proxy.forward.ForwardState.SENT;
import static dev.tulle.proxy.forward.ForwardState.TUNNEL;
import static dev.tulle.proxy.forward.ForwardState.WAITING;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.tulle.proxy.forward.ForwardState.Event;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every pair of a state of a forwarded request and an event. */
class ForwardStateTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // event, then the state after it where it was
                // IDLE, AUTHORIZING, WAITING, CONNECTING, SENT, RESPONDING, TUNNEL
                "UNDECIDED   | AUTHORIZING AUTHORIZING AUTHORIZING . . . .",
                "ADMITTED    | CONNECTING CONNECTING CONNECTING . . . .",
                "CONNECTED   | . . . SENT . . .",
                "TAKEN       | SENT . . . . . .",
                "TRIED_AGAIN | . . . WAITING WAITING . .",
                "ANSWERED    | . . . . RESPONDING . .",
                "SWITCHED    | . . . . TUNNEL . .",
                "OVER        | IDLE IDLE IDLE IDLE IDLE IDLE IDLE",
            })
    void everyPair(Event event, String after) {
        List<String> expected = Arrays.stream(after.split(" ")).toList();
        List<String> found = Arrays.stream(ForwardState.values())
                .map(state -> state.after(event) == null ? "." : String.valueOf(state.after(event)))
                .toList();
        assertEquals(expected, found);
    }

    @Test
    void theTableAboveNamesEveryEvent() {
        assertEquals(8, Event.values().length);
        assertEquals(
                List.of(IDLE, AUTHORIZING, WAITING, CONNECTING, SENT, RESPONDING, TUNNEL),
                List.of(ForwardState.values()));
    }

    @Test
    void noTryFollowsAnAnswerThatTheClientGets() {
        assertEquals(EnumSet.of(IDLE), next(RESPONDING));
        assertEquals(EnumSet.of(IDLE), next(TUNNEL));
    }

    @Test
    void onlyWhatWasSentIsAnswered() {
        for (ForwardState from : ForwardState.values()) {
            for (Event event : Event.values()) {
                if (from.after(event) == RESPONDING || from.after(event) == TUNNEL) {
                    assertSame(SENT, from, "after " + event);
                }
            }
        }
    }

    @Test
    void everyTryOfTheProxyIsAdmittedBeforeItIsSent() {
        for (ForwardState from : ForwardState.values()) {
            if (from.after(Event.CONNECTED) != null) {
                assertEquals(EnumSet.of(Event.ADMITTED), eventsTo(from));
            }
        }
    }

    @Test
    void anImpossibleEventFailsTheRequest() {
        Concluded concluded = new Concluded();
        Progress progress = new Progress(concluded);
        progress.on(Event.ADMITTED);
        assertThrows(IllegalStateException.class, () -> progress.on(Event.ANSWERED));
        assertEquals(1, concluded.failures);
        assertEquals(CONNECTING, progress.state());
    }

    private static Set<ForwardState> next(ForwardState from) {
        Set<ForwardState> found = EnumSet.noneOf(ForwardState.class);
        for (Event event : Event.values()) {
            ForwardState next = from.after(event);
            if (next != null) {
                found.add(next);
            }
        }
        return found;
    }

    private static Set<Event> eventsTo(ForwardState to) {
        Set<Event> found = EnumSet.noneOf(Event.class);
        for (ForwardState from : ForwardState.values()) {
            for (Event event : Event.values()) {
                if (from.after(event) == to) {
                    found.add(event);
                }
            }
        }
        return found;
    }

    private static final class Concluded implements Conclusion {
        private int failures;

        @Override
        public void stop() {
            throw new AssertionError("stopped");
        }

        @Override
        public void finish() {
            throw new AssertionError("finished");
        }

        @Override
        public void finishByReset() {
            throw new AssertionError("finished by a reset");
        }

        @Override
        public void fail() {
            failures++;
        }
    }
}
