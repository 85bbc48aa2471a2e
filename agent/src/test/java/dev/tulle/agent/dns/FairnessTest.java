package dev.tulle.agent.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The pure pieces by which one asker's many questions are kept from being the others' concern. */
class FairnessTest {
    private static final long SECOND = 1_000_000_000L;

    @ParameterizedTest
    @CsvSource({
        // rate, burst, asked at once, pause in ms, asked again: permits
        "10, 5, 5, 0, 1, 5",
        "10, 5, 9, 0, 0, 5",
        "10, 5, 5, 100, 3, 6",
        "10, 5, 5, 10000, 20, 10",
        "2000, 2000, 20000, 1000, 20000, 4000",
    })
    void aBucketGivesItsRateAndItsBurst(int rate, int burst, int first, int pauseMillis, int second, int permits) {
        long now = -7 * SECOND;
        TokenBucket bucket = new TokenBucket(rate, burst, now);
        int given = 0;
        for (int i = 0; i < first; i++) {
            given += bucket.take(now) ? 1 : 0;
        }
        now += pauseMillis * 1_000_000L;
        for (int i = 0; i < second; i++) {
            given += bucket.take(now) ? 1 : 0;
        }
        assertEquals(permits, given);
    }

    @Test
    void aBucketLendsFromTheFutureAsFarAsIsAllowed() {
        TokenBucket bucket = new TokenBucket(10, 1, 0);
        assertEquals(0, bucket.reserve(0, SECOND));
        assertEquals(SECOND / 10, bucket.reserve(0, SECOND));
        assertEquals(2 * SECOND / 10, bucket.reserve(0, SECOND));
        assertEquals(-1, bucket.reserve(0, SECOND / 10));
        assertFalse(bucket.take(0));
    }

    @Test
    void whoHasMuchWorkWaitsForHimself() throws InterruptedException {
        RoundRobin<String, String> ready = new RoundRobin<>(3);
        for (int i = 0; i < 3; i++) {
            assertTrue(ready.offer("flood", "f" + i));
        }
        assertFalse(ready.offer("flood", "f3"), "more than the share");
        assertTrue(ready.offer("quiet", "q0"));
        assertTrue(ready.offer("other", "o0"));
        List<String> order = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            order.add(ready.take().orElseThrow());
        }
        assertEquals(List.of("f0", "q0", "o0", "f1", "f2"), order);
        ready.close();
        assertEquals(Optional.empty(), ready.take());
        assertFalse(ready.offer("quiet", "q1"));
    }

    @Test
    void aNewcomerFindsAPlaceWhateverOthersHold() {
        FairSlots<String> slots = new FairSlots<>(100, 4);
        assertEquals(50, fill(slots, "first"));
        assertEquals(33, fill(slots, "second"));
        for (int i = 0; i < 20; i++) {
            assertTrue(fill(slots, "late" + i) >= 4, "late" + i);
        }
        assertTrue(slots.isOver("first"));
        for (int i = 0; i < 50; i++) {
            slots.give("first");
        }
        assertFalse(slots.isOver("first"));
        assertEquals(4, fill(slots, "first"));
    }

    private static int fill(FairSlots<String> slots, String share) {
        int taken = 0;
        while (slots.take(share)) {
            taken++;
        }
        return taken;
    }

    /** Seeded: whatever comes and ends in which order, no question is lost and no place either. */
    @Test
    void everySlowQuestionBeginsOrIsRefused() {
        java.util.Random random = new java.util.Random(20_261_129);
        for (int round = 0; round < 200; round++) {
            FairSlots<Integer> slots = new FairSlots<>(6, 1);
            SlowLane<Integer, Integer> lane = new SlowLane<>(slots, 3);
            List<Integer> running = new ArrayList<>();
            int entered = 0;
            int begun = 0;
            int waiting = 0;
            for (int i = 0; i < 300 || !running.isEmpty(); i++) {
                if (i < 300 && random.nextBoolean()) {
                    int share = random.nextInt(4);
                    switch (lane.enter(share, i)) {
                        case BEGIN -> {
                            running.add(share);
                            begun++;
                            entered++;
                        }
                        case WAIT -> {
                            waiting++;
                            entered++;
                        }
                        case REFUSE -> {}
                    }
                } else if (!running.isEmpty()) {
                    int share = running.remove(random.nextInt(running.size()));
                    if (lane.next(share).isPresent()) {
                        running.add(share);
                        begun++;
                        waiting--;
                    }
                }
            }
            assertEquals(0, waiting);
            assertEquals(entered, begun);
            for (int share = 0; share < 4; share++) {
                assertFalse(slots.isOver(share));
                assertTrue(slots.take(share));
                slots.give(share);
            }
        }
    }

    @Test
    void whoFillsAStorePushesHimselfOut() {
        FairLru<String, Integer, String> store = new FairLru<>(100);
        store.put("quiet", -1, "kept", 1);
        store.put("quiet", -2, "kept", 1);
        for (int i = 0; i < 10_000; i++) {
            store.put("flood", i, "x", 1);
        }
        assertEquals(100, store.size());
        assertEquals(Optional.of("kept"), store.get("quiet", -1));
        assertEquals(Optional.of("x"), store.get("flood", 9_999));
        assertEquals(Optional.empty(), store.get("flood", 9_000));
        // What the flood had and somebody else uses is his from then on.
        assertEquals(Optional.of("x"), store.get("quiet", 9_950));
        for (int i = 10_000; i < 20_000; i++) {
            store.put("flood", i, "x", 1);
        }
        assertEquals(Optional.of("x"), store.get("quiet", 9_950));
        // But the flood cannot take what others hold by using it.
        for (int i = 20_000; i < 21_000; i++) {
            assertEquals(Optional.of("kept"), store.get("flood", -2));
            store.put("flood", i, "x", 1);
        }
        assertEquals(Optional.of("kept"), store.get("quiet", -2));
        store.put("quiet", -3, "too heavy", 101);
        assertEquals(Optional.empty(), store.get("quiet", -3));
        assertEquals(100, store.size());
    }

    @Test
    void aShareAnswersThenRefusesThenDrops() {
        Share share = new Share("shop/flood", 0);
        Map<Share.Admission, Integer> seen = new EnumMap<>(Share.Admission.class);
        for (int i = 0; i < 30_000; i++) {
            seen.merge(share.arrives(0), 1, Integer::sum);
        }
        assertEquals(
                Map.of(
                        Share.Admission.ANSWER,
                        Share.QUESTIONS_PER_SECOND,
                        Share.Admission.REFUSE,
                        Share.REFUSALS_PER_SECOND,
                        Share.Admission.DROP,
                        30_000 - Share.QUESTIONS_PER_SECOND - Share.REFUSALS_PER_SECOND),
                seen);
        Share.Counts counts = share.counts(3);
        assertEquals(30_000, counts.asked());
        assertEquals(20_000, counts.refused());
        assertEquals(8_000, counts.dropped());
        assertEquals(3, counts.overNanos());
    }
}
