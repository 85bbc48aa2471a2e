package dev.tulle.proxy.downstream;

import java.util.Arrays;

/**
 * Which streams of a client's connection are no more, and why, as far as it has to be known for what still comes for them:
 * clients number theirs without gaps. Loop-confined.
 */
final class StreamOrder {
    /** Streams that we have reset, of which the client may not have heard; later ones take the place of earlier ones. */
    private static final int REMEMBERED = 256;

    private int[] reset = {};
    private int next;
    private int last = -1;
    private int passedFrom;
    private int passedTo;

    /** The client has opened a stream. */
    void opened(int id) {
        if (id > last + 2) {
            passedFrom = last + 2;
            passedTo = id;
        }
        last = id;
    }

    /** We have reset a stream. */
    void reset(int id) {
        if (reset.length == 0) {
            reset = new int[REMEMBERED];
        }
        reset[next] = id;
        next = (next + 1) % REMEMBERED;
    }

    /** True when the stream was among the last that we have reset. */
    boolean wasReset(int id) {
        return Arrays.stream(reset).anyMatch(one -> one == id);
    }

    /** True when the stream was never opened although later ones were. */
    boolean wasPassedOver(int id) {
        return id >= passedFrom && id < passedTo;
    }
}
