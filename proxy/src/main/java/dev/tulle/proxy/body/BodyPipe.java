package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One body's way through all that changes it, in this order. Loop-confined. */
public final class BodyPipe {
    private final BodyChange[] changes;

    /** How many of them know that the body is complete. */
    private int ended;

    private boolean complete;
    private boolean closed;
    private boolean drained = true;
    private byte[] trailers = {};

    /** Of one change at least. */
    public BodyPipe(List<BodyChange> changes) {
        this.changes = changes.toArray(BodyChange[]::new);
    }

    /** True when the next piece can be taken. */
    public boolean isEmpty() {
        return drained;
    }

    /** Takes a piece, when it is empty; what stands in its place is asked for by {@link #next}. */
    public void take(ByteBuf piece) {
        if (closed) {
            piece.release();
            return;
        }
        drained = false;
        changes[0].take(piece);
    }

    /** The body is complete; what is still to come, and the trailers, follow by {@link #next}. */
    public void end(byte[] lines) {
        drained = false;
        complete = true;
        trailers = lines;
    }

    /**
     * The next piece; null when there is none (yet).
     *
     * @throws BrokenBodyException when the body cannot be changed
     */
    public @Nullable ByteBuf next() {
        // Who gets a piece may find that all is over, and ask for the next one all the same.
        ByteBuf piece = closed ? null : next(changes.length - 1);
        drained = piece == null;
        return piece;
    }

    private @Nullable ByteBuf next(int last) {
        BodyChange change = changes[last];
        while (true) {
            ByteBuf piece = change.next();
            if (piece != null) {
                if (piece.isReadable()) {
                    return piece;
                }
                piece.release();
                continue;
            }
            ByteBuf before = last == 0 ? null : next(last - 1);
            if (before != null) {
                change.take(before);
            } else if (complete && ended == last) {
                ended++;
                trailers = change.end(trailers);
            } else {
                return null;
            }
        }
    }

    /** Passes on all that there is. */
    public void drain(Consumer<ByteBuf> to) {
        for (ByteBuf piece = next(); piece != null; piece = next()) {
            to.accept(piece);
        }
    }

    /** Passes on all that there is, also what would rather wait for more. */
    public void flush(Consumer<ByteBuf> to) {
        for (int i = 0; i < changes.length && !closed; i++) {
            changes[i].flush();
            drain(to);
        }
    }

    /** True when everything has passed: {@link #trailers} may follow. */
    public boolean isOver() {
        return !closed && ended == changes.length && drained;
    }

    /** What follows in place of the trailers. */
    public byte[] trailers() {
        return trailers;
    }

    /** Gives everything back. */
    public void close() {
        closed = true;
        for (BodyChange change : changes) {
            change.close();
        }
    }
}
