package dev.tulle.cli.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Proves that a command that took long to start waits less, and still gives whoever it asks some time. */
class CommandStartTest {
    @Test
    void whatTheStartTookIsNotWaitedForOnceMore() {
        assertEquals(Duration.ofSeconds(8), CommandStart.less(Duration.ofSeconds(8), Duration.ofMillis(400)));
        assertEquals(Duration.ofSeconds(5), CommandStart.less(Duration.ofSeconds(8), Duration.ofSeconds(3)));
        assertEquals(Duration.ofSeconds(2), CommandStart.less(Duration.ofSeconds(6), Duration.ofSeconds(30)));
        // Nobody has said here how long a start took.
        assertEquals(Duration.ofSeconds(60), CommandStart.less(Duration.ofSeconds(60)));
    }
}
