package dev.tulle.proxy.share;

import org.jspecify.annotations.Nullable;

/**
 * One client connection in its client's share, from accept to close. Loop-confined.
 *
 * <p>Who buffers for it tells how much waits for somebody who does not read; who knows whether it is idle registers as
 * its {@link Occupant}.
 */
public final class Held {
    /** What a connection carries. */
    public interface Occupant {
        /** Closes the connection if nothing is under way on it; true when it did. */
        boolean closeIfIdle();

        /** Closes the connection: it has waited for a reader for longest. */
        void closeStalled();
    }

    private final LoopShares shares;
    private Share share;
    private @Nullable Occupant occupant;
    private long down;
    private long up;
    private long head;
    private long kept;
    private boolean presumed;
    private boolean gone;

    /** Its neighbours in the order of acceptance, and in that of stalling. */
    @Nullable
    Held next;

    @Nullable
    Held previous;

    boolean stalls;

    /** What its client has had of the loop's time. */
    LoopTime.Taken taken = new LoopTime.Taken();

    Held(LoopShares shares, Share share, boolean presumed) {
        this.shares = shares;
        this.share = share;
        this.presumed = presumed;
        if (presumed) {
            shares.all().presumed(1);
        }
    }

    /** Whose it is. */
    public Share share() {
        return share;
    }

    /** From now on this is what the connection carries. */
    public void occupy(Occupant by) {
        occupant = by;
    }

    /**
     * True when a request may begin in this pass of the loop; otherwise it is to be tried again in the next one.
     *
     * @param now the time, as {@link System#nanoTime} has it
     */
    public boolean mayBegin(long now) {
        return shares.mayBegin(this, now);
    }

    /** Says how long the loop has been busy with a request, in nanoseconds. */
    public void took(long nanos) {
        shares.took(this, nanos);
    }

    /** Says so many bytes wait for the client, 0 when it reads again. */
    public void waitsForClient(long bytes) {
        if (bytes != down) {
            change(bytes - down);
            down = bytes;
            settle(bytes > 0);
        }
    }

    /** Says so many bytes wait for the endpoint, 0 when it reads again. */
    public void waitsForEndpoint(long bytes) {
        if (bytes != up) {
            change(bytes - up);
            up = bytes;
            settle(bytes > 0);
        }
    }

    /** Says so many bytes have come that nobody has taken yet, 0 when all are. */
    public void keeps(long bytes) {
        if (bytes != kept) {
            boolean more = bytes > kept;
            change(bytes - kept);
            kept = bytes;
            settle(more);
        }
    }

    /**
     * Says so many bytes are held for heads of requests, 0 when they are over.
     *
     * @return false when there are more now and the client has more than its share: the request is to be refused
     */
    public boolean holdsHead(long bytes) {
        if (bytes == head) {
            return true;
        }
        boolean fewer = bytes < head;
        change(bytes - head);
        head = bytes;
        if (fewer || gone || !shares.all().isStalledOver(share)) {
            return true;
        }
        share.over(Over.HEADS);
        return false;
    }

    private void change(long by) {
        if (!gone) {
            shares.all().stalled(share, by);
        }
    }

    private void settle(boolean more) {
        if (gone) {
            return;
        }
        shares.stalls(this, down + up + kept > 0);
        if (more) {
            shares.relieve(this);
        }
    }

    /**
     * The client's name has become known, or will not (empty); false when the connection is beyond its share and has to be
     * closed.
     */
    public boolean belongsTo(String client) {
        boolean guessed = presumed;
        known();
        if (gone || client.isEmpty() || client.equals(share.name())) {
            return gone || !guessed || shares.admits(this);
        }
        long bytes = down + up + head + kept;
        shares.remove(this);
        shares.all().stalled(share, -bytes);
        shares.all().leave(share);
        share = shares.all().enter(client);
        shares.all().stalled(share, bytes);
        shares.add(this);
        shares.stalls(this, down + up + kept > 0);
        shares.relieve(this);
        if (!gone && head > 0 && shares.all().isStalledOver(share)) {
            // What was read as somebody else's is beyond what this client may have.
            share.over(Over.HEADS);
            return false;
        }
        return gone || shares.admits(this);
    }

    private void known() {
        if (presumed) {
            presumed = false;
            shares.all().presumed(-1);
        }
    }

    /** The connection is closed. */
    void release() {
        if (!gone) {
            known();
            long bytes = down + up + head + kept;
            shares.remove(this);
            shares.all().stalled(share, -bytes);
            shares.all().leave(share);
            gone = true;
        }
    }

    boolean closeIfIdle() {
        Occupant now = occupant;
        return now != null && now.closeIfIdle();
    }

    void closeStalled() {
        Occupant now = occupant;
        if (now != null) {
            now.closeStalled();
        }
    }
}
