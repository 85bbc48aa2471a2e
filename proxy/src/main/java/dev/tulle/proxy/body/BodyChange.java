package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Takes the pieces of one body and gives what stands in their place. In this order: {@link #take} a piece, then {@link #next}
 * until there is nothing, and so on; {@link #end} after the last piece, and {@link #next} once more until there is nothing.
 * Whoever drives it asks for the next piece only when the reader has room, so that one that gives much for little is held
 * back like every writer. Owns native memory perhaps: {@link #close} comes once in the end, whatever happened. Loop-confined.
 */
public interface BodyChange {
    /** Bytes of the largest piece that is given. */
    int PIECE = 32 << 10;

    /** Takes a piece, which belongs to the callee from now on. Nothing is left of the one before. */
    void take(ByteBuf piece);

    /**
     * The next piece, which belongs to the caller, of at most {@link #PIECE} bytes; null when more has to come first.
     *
     * @throws BrokenBodyException when what was taken is not what it should be
     */
    @Nullable
    ByteBuf next();

    /** Nothing more comes for now: what waits to be put together with more is given by {@link #next}. */
    default void flush() {
        // Most keep nothing back.
    }

    /**
     * The body is complete.
     *
     * @param trailers the fields after it, each with its line end
     * @return those that follow in their place
     * @throws BrokenBodyException when something is missing
     */
    byte[] end(byte[] trailers);

    /** Gives everything back. */
    void close();
}
