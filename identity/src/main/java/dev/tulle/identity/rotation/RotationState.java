package dev.tulle.identity.rotation;

import java.time.Instant;
import java.util.List;

/**
 * Where the authority stands between two of its roots. Roots are numbered, later ones higher. Immutable; it is on the disk
 * before anybody acts on it.
 *
 * @param phase which step it is at
 * @param current the root under which leaves are signed
 * @param other the root that comes ({@link Phase#ANNOUNCING}) or goes ({@link Phase#REPLACING}); 0 when there is none
 * @param since when the phase began
 */
public record RotationState(Phase phase, int current, int other, Instant since) {
    /** The steps of a rotation. */
    public enum Phase {
        /** One root: it signs, and it alone is to be trusted. */
        STEADY,
        /** A second root is to be trusted as well; the first still signs. */
        ANNOUNCING,
        /** The second root signs, both are to be trusted: there are still leaves of the first, or nodes that know no other. */
        REPLACING
    }

    public RotationState {
        if (current <= 0 || (phase == Phase.STEADY) != (other == 0) || current == other) {
            throw new IllegalArgumentException("roots " + current + " and " + other + " while " + phase);
        }
    }

    /** One root and no rotation. */
    public static RotationState steady(int root, Instant since) {
        return new RotationState(Phase.STEADY, root, 0, since);
    }

    /** The roots to be trusted; the one that signs first. */
    public List<Integer> trusted() {
        return phase == Phase.STEADY ? List.of(current) : List.of(current, other);
    }

    /** The newest root. */
    public int newest() {
        return Math.max(current, other);
    }
}
