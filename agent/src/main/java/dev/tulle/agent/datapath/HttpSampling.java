package dev.tulle.agent.datapath;

import java.util.function.Consumer;

/**
 * Which of the requests that the kernel forwards are reported, and to whom.
 *
 * @param oneIn one in how many; 1: all; 0: none
 * @param sink told of each, on a thread of its own
 */
public record HttpSampling(int oneIn, Consumer<HttpSample> sink) {
    /** Nothing is reported. */
    public static final HttpSampling NONE = new HttpSampling(0, sample -> {});

    public HttpSampling {
        if (oneIn < 0) {
            throw new IllegalArgumentException("sampling one in " + oneIn + ": expected 0 or more");
        }
    }

    /** What a random number of 32 bits must not pass, unsigned; 0: nothing is reported. */
    int bound() {
        return oneIn == 0 ? 0 : (int) Math.max(1, (1L << Integer.SIZE) / oneIn - 1);
    }
}
