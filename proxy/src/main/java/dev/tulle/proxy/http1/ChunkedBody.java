package dev.tulle.proxy.http1;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Reads a chunked body piece by piece, strictly: sizes are bare hexadecimal digits, every line ends in CRLF, extensions
 * are skipped, trailers are checked and kept. Confined to one thread, reused.
 */
public final class ChunkedBody {
    /** Bytes of one chunk's size line. */
    static final int MAX_SIZE_LINE = 1 << 10;

    /** Bytes of all trailers. */
    static final int MAX_TRAILERS = 8 << 10;

    private enum State {
        SIZE_FIRST,
        SIZE,
        EXTENSION,
        SIZE_LINE_FEED,
        DATA,
        DATA_RETURN,
        DATA_LINE_FEED,
        TRAILER_FIRST,
        TRAILER_NAME,
        TRAILER_VALUE,
        TRAILER_LINE_FEED,
        END_LINE_FEED,
        END,
        BROKEN
    }

    private State state = State.SIZE_FIRST;
    private long size;
    private int digits;
    private int line;
    private boolean quoted;
    private boolean escaped;
    private int trailers;
    private final Trailers kept = new Trailers();

    /** Makes ready for the next body. */
    public void reset() {
        state = State.SIZE_FIRST;
        size = 0;
        digits = 0;
        line = 0;
        quoted = false;
        escaped = false;
        trailers = 0;
        kept.reset();
    }

    /** The trailers that may be sent on, each line with its end, once the body is complete; empty: none. */
    public byte[] trailers() {
        return kept.lines();
    }

    /** True when the whole body was read. */
    public boolean isComplete() {
        return state == State.END;
    }

    /** True when the body broke the rules. */
    public boolean isBroken() {
        return state == State.BROKEN;
    }

    /**
     * Reads on until a piece of data was found or the input is used up.
     *
     * @return the next piece of the body, to be released by the caller; null when there is none yet: look at {@link
     *     #isComplete} and {@link #isBroken}
     */
    public @Nullable ByteBuf next(ByteBuf in) {
        while (in.isReadable() && state != State.END && state != State.BROKEN) {
            if (state == State.DATA) {
                int n = (int) Math.min(size, in.readableBytes());
                size -= n;
                if (size == 0) {
                    state = State.DATA_RETURN;
                }
                return in.readRetainedSlice(n);
            }
            state = step(in.readByte());
        }
        return null;
    }

    private State step(byte b) {
        return switch (state) {
            case SIZE_FIRST, SIZE -> size(b);
            case EXTENSION -> extension(b);
            case SIZE_LINE_FEED -> b != '\n' ? State.BROKEN : size > 0 ? State.DATA : State.TRAILER_FIRST;
            case DATA_RETURN -> b == '\r' ? State.DATA_LINE_FEED : State.BROKEN;
            case DATA_LINE_FEED -> {
                digits = 0;
                line = 0;
                yield b == '\n' ? State.SIZE_FIRST : State.BROKEN;
            }
            case TRAILER_FIRST -> b == '\r' ? State.END_LINE_FEED : trailerFirst(b);
            case TRAILER_NAME -> b == ':' ? trailerValue() : trailer(b, State.TRAILER_NAME);
            case TRAILER_VALUE -> b == '\r' ? State.TRAILER_LINE_FEED : inTrailerValue(b);
            case TRAILER_LINE_FEED -> trailerEnd(b);
            case END_LINE_FEED -> b == '\n' ? State.END : State.BROKEN;
            case DATA, END, BROKEN -> State.BROKEN;
        };
    }

    private State size(byte b) {
        int digit = Character.digit(b, 16);
        if (digit >= 0) {
            // 15 digits cannot overflow; leading zeros count.
            if (++digits > 15) {
                return State.BROKEN;
            }
            size = (state == State.SIZE_FIRST ? 0 : size << 4) + digit;
            return State.SIZE;
        }
        if (state == State.SIZE_FIRST) {
            return State.BROKEN;
        }
        return b == '\r' ? State.SIZE_LINE_FEED : b == ';' ? State.EXTENSION : State.BROKEN;
    }

    /** A line that ends within a quoted text is one for whom it may go on (RFC 9112 section 7.1.1), and none for others. */
    private State extension(byte b) {
        if (b == '\r') {
            return quoted ? State.BROKEN : State.SIZE_LINE_FEED;
        }
        quoted ^= b == '"' && !escaped;
        escaped = quoted && b == '\\' && !escaped;
        boolean good = (b >= 0x20 || b < 0 || b == '\t') && b != 0x7f && ++line <= MAX_SIZE_LINE;
        return good ? State.EXTENSION : State.BROKEN;
    }

    private State trailerFirst(byte b) {
        kept.begin();
        return trailer(b, State.TRAILER_NAME);
    }

    private State trailer(byte b, State good) {
        kept.add(b);
        return Ascii.isToken(b) && ++trailers <= MAX_TRAILERS ? good : State.BROKEN;
    }

    private State trailerEnd(byte b) {
        kept.end();
        return b == '\n' ? State.TRAILER_FIRST : State.BROKEN;
    }

    private State trailerValue() {
        kept.named();
        kept.add((byte) ':');
        return ++trailers <= MAX_TRAILERS ? State.TRAILER_VALUE : State.BROKEN;
    }

    private State inTrailerValue(byte b) {
        kept.add(b);
        boolean good = (b >= 0x20 || b < 0 || b == '\t') && b != 0x7f && ++trailers <= MAX_TRAILERS;
        return good ? State.TRAILER_VALUE : State.BROKEN;
    }
}
