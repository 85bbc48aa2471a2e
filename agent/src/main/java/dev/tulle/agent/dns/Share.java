package dev.tulle.agent.dns;

import java.util.concurrent.atomic.LongAdder;

/**
 * One asker's part of DNS: how much it may ask, and what became of its questions. Thread-safe, but for what
 * {@link RoundRobin} and {@link SlowLane} keep in it under their locks.
 */
final class Share {
    /** Questions a second that are answered; what gathers while none are asked is a second's worth. */
    static final int QUESTIONS_PER_SECOND = 2_000;

    /** Questions a second that are refused in words; further ones are dropped. */
    static final int REFUSALS_PER_SECOND = 20_000;

    /** Names a second that the mesh has not been asked for lately: each costs the control plane a message. */
    static final int NEW_NAMES_PER_SECOND = 100;

    /** Such names that may come at once. */
    static final int NEW_NAMES_BURST = 500;

    /** How long a question waits for its turn to ask for a new name, in nanoseconds. */
    private static final long NEW_NAME_WAIT = 1_000_000_000L;

    /** What is done with a question that arrives. */
    enum Admission {
        ANSWER,
        REFUSE,
        DROP
    }

    private final String shown;
    private final TokenBucket questions;
    private final TokenBucket refusals;
    private final TokenBucket newNames;
    private final LongAdder asked = new LongAdder();
    private final LongAdder malformed = new LongAdder();
    private final LongAdder refused = new LongAdder();
    private final LongAdder dropped = new LongAdder();
    private volatile long usedNanos;
    private volatile long overNanos;
    private volatile boolean over;

    Share(String shown, long now) {
        this.shown = shown;
        this.questions = new TokenBucket(QUESTIONS_PER_SECOND, QUESTIONS_PER_SECOND, now);
        this.refusals = new TokenBucket(REFUSALS_PER_SECOND, REFUSALS_PER_SECOND, now);
        this.newNames = new TokenBucket(NEW_NAMES_PER_SECOND, NEW_NAMES_BURST, now);
        this.usedNanos = now;
        this.overNanos = now;
    }

    /** Judges a question by the rate alone, and counts it. */
    Admission arrives(long now) {
        asked.increment();
        usedNanos = now;
        return questions.take(now) ? Admission.ANSWER : refusal(now);
    }

    /** A question that finds no place in the share; counted. */
    Admission refusal(long now) {
        overNanos = now;
        over = true;
        if (refusals.take(now)) {
            refused.increment();
            return Admission.REFUSE;
        }
        dropped.increment();
        return Admission.DROP;
    }

    /** Nanoseconds to wait before a new name may be asked for; negative when it would be too long. */
    long newName(long now) {
        return newNames.reserve(now, NEW_NAME_WAIT);
    }

    void malformed() {
        malformed.increment();
    }

    /** How the asker is called in reports. */
    String shown() {
        return shown;
    }

    /** Nanoseconds since the last question. */
    long idle(long now) {
        return now - usedNanos;
    }

    /** What became of an asker's questions since its first one. */
    Counts counts(long now) {
        return new Counts(
                shown,
                asked.sum(),
                refused.sum(),
                dropped.sum(),
                malformed.sum(),
                over ? now - overNanos : Long.MAX_VALUE);
    }

    /**
     * What became of an asker's questions.
     *
     * @param asker the workload, or {@code other programs}
     * @param asked all of them
     * @param refused those over the share, answered with REFUSED
     * @param dropped those over the share that were not answered at all
     * @param malformed messages that were no questions
     * @param overNanos nanoseconds since the last one over the share; {@link Long#MAX_VALUE} when there was none
     */
    record Counts(String asker, long asked, long refused, long dropped, long malformed, long overNanos) {}
}
