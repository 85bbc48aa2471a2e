package dev.tulle.identity.rotation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.identity.rotation.RotationModel.Guards;
import dev.tulle.identity.rotation.RotationModel.Outcome;
import dev.tulle.identity.rotation.RotationState.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Explores every order in which two nodes, their messages, a crash of the authority and time can meet while the root is
 * replaced twice. Invariants: every leaf that lives is believed by every node that lives, at each moment and of whatever
 * age; so none is signed that somebody does not believe, and no root goes that somebody needs. Progress: from every state
 * in which nobody stays away the rotation ends.
 */
class RotationModelTest {
    @Test
    void nobodyIsEverNotBelieved() {
        for (boolean crossed : new boolean[] {true, false}) {
            Outcome outcome = RotationModel.explore(crossed, Guards.AS_THEY_ARE);
            assertEquals("", outcome.violation());
            assertEquals(List.of(), outcome.stuck());
            assertTrue(outcome.states() > 1000, outcome.toString());
            assertTrue(outcome.rotations() >= 2, outcome.toString());
        }
    }

    /** Each rule is there for a reason: without it the same search finds a moment in which somebody is not believed. */
    @Test
    void withoutOneOfItsRulesSomebodyIsNot() {
        for (Guards broken : List.of(
                Guards.SIGNS_AT_ONCE, Guards.WITHDRAWS_AT_ONCE, Guards.FORGETS_LEAVES, Guards.SILENCE_IS_CONSENT)) {
            Outcome outcome = RotationModel.explore(false, broken);
            assertTrue(!outcome.violation().isEmpty(), () -> broken + " breaks nothing: " + outcome);
        }
        Outcome outcome = RotationModel.explore(true, Guards.WITHDRAWS_AT_ONCE);
        assertTrue(!outcome.violation().isEmpty(), outcome::toString);
    }

    private static final Instant NOW = Instant.parse("2026-11-30T00:00:00Z");

    private static Rotation.View view(Instant now, Map<String, Set<Integer>> nodes, boolean crossed) {
        return new Rotation.View(
                now, nodes, NOW.plusSeconds(100), NOW.plus(Duration.ofDays(1)), crossed, Duration.ofHours(1));
    }

    @Test
    void saysWhatItWaitsFor() {
        RotationState announcing = Rotation.begin(RotationState.steady(1, NOW), 2, NOW);
        assertEquals(
                List.of("node b has not said that it trusts the new root"),
                Rotation.next(announcing, view(NOW, Map.of("a", Set.of(1, 2), "b", Set.of(1)), false))
                        .waiting());
        assertEquals(
                "not longer than until 2026-11-30T01:00:00Z: the new root is signed by the old one",
                Rotation.next(announcing, view(NOW, Map.of("b", Set.of()), true))
                        .waiting()
                        .getLast());
        RotationState replacing = Rotation.next(announcing, view(NOW, Map.of("a", Set.of(2)), false))
                .state();
        assertEquals(new RotationState(Phase.REPLACING, 2, 1, NOW), replacing);
        assertEquals(
                List.of("the last certificate below the old root ends at " + NOW.plusSeconds(100)),
                Rotation.next(replacing, view(NOW, Map.of("a", Set.of(2)), false))
                        .waiting());
    }

    @Test
    void aRootThatHasEndedHoldsNothingUp() {
        Instant end = NOW.plus(Duration.ofDays(1));
        Map<String, Set<Integer>> silent = Map.of("a", Set.of());
        RotationState announcing = Rotation.begin(RotationState.steady(1, NOW), 2, NOW);
        RotationState replacing =
                Rotation.next(announcing, view(end, silent, false)).state();
        assertEquals(Phase.REPLACING, replacing.phase());
        assertEquals(
                RotationState.steady(2, end),
                Rotation.next(replacing, view(end, silent, false)).state());
    }

    @Test
    void beginsWellBeforeTheEnd() {
        Instant end = NOW.plus(Duration.ofDays(3650));
        assertEquals(end.minus(Duration.ofDays(730)), Rotation.due(NOW, end, Duration.ofDays(1)));
        Instant soon = NOW.plus(Duration.ofMinutes(8));
        assertEquals(soon.minus(Duration.ofMinutes(4)), Rotation.due(NOW, soon, Duration.ofMinutes(1)));
    }

    @Test
    void oneAtATime() {
        RotationState announcing = Rotation.begin(RotationState.steady(1, NOW), 2, NOW);
        assertThrows(IllegalStateException.class, () -> Rotation.begin(announcing, 3, NOW));
        assertThrows(IllegalStateException.class, () -> Rotation.begin(RotationState.steady(2, NOW), 2, NOW));
    }
}
