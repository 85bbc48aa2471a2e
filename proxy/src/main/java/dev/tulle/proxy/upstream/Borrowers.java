package dev.tulle.proxy.upstream;

/**
 * The client connections of one service, on one loop, whose requests the kernel might take: no endpoint of the service
 * lends more connections than there are of them. Loop-confined.
 */
public final class Borrowers {
    private int count;
    private long refusedUntil;

    /** A client connection of the service. */
    public void enter() {
        count++;
    }

    /** It is gone, or is none that the kernel knows. */
    public void leave() {
        count--;
    }

    /** How many there are. */
    public int count() {
        return count;
    }

    /** The kernel does not know a connection of this service: there is no use in trying before then. */
    public void refuse(long untilNanos) {
        refusedUntil = untilNanos;
    }

    /** True while there is no use in trying. */
    public boolean isRefused(long now) {
        return refusedUntil != 0 && now - refusedUntil < 0;
    }
}
