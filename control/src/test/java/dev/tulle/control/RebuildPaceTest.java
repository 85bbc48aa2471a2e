package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** When the next state is made after a change. */
class RebuildPaceTest {
    private static final Duration DEBOUNCE = Duration.ofMillis(10);
    private static final long MILLI = 1_000_000;

    @Test
    void theFirstRegistrationAfterAQuietTimeDoesNotWait() {
        RebuildPace pace = new RebuildPace(DEBOUNCE);
        // At the start others are sure to follow.
        assertEquals(DEBOUNCE, pace.pauseOfWhole(0));
        pace.made(0, 2 * MILLI);
        assertEquals(DEBOUNCE, pace.pauseOfWhole(11 * MILLI));
        assertEquals(Duration.ZERO, pace.pauseOfWhole(13 * MILLI));
        // Half a change of files would be put in force.
        assertEquals(DEBOUNCE, pace.pause(13 * MILLI));
    }

    @Test
    void inALargeMeshHalfOfTheTimeStaysFree() {
        RebuildPace pace = new RebuildPace(DEBOUNCE);
        pace.made(0, 100 * MILLI);
        assertEquals(Duration.ofMillis(70), pace.pauseOfWhole(130 * MILLI));
        assertEquals(DEBOUNCE, pace.pauseOfWhole(195 * MILLI));
        assertEquals(Duration.ZERO, pace.pauseOfWhole(201 * MILLI));
    }
}
