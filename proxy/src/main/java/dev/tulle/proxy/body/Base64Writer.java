package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Writes a body in Base64 (RFC 4648 section 4): four characters for three bytes. One or two bytes wait for more, and are
 * padded where more does not come at once: their reader waits for a whole message. Loop-confined.
 */
public final class Base64Writer implements BodyChange {
    private static final byte[] ALPHABET =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".getBytes(StandardCharsets.US_ASCII);

    /** Bytes of which one piece is made. */
    private static final int PART = PIECE / 4 * 3;

    private final ByteBufAllocator allocator;
    private @Nullable ByteBuf input;
    private int bits;
    private int count;
    private boolean pads;

    /** Makes pieces of this memory. */
    public Base64Writer(ByteBufAllocator allocator) {
        this.allocator = allocator;
    }

    @Override
    public void take(ByteBuf piece) {
        input = piece;
    }

    @Override
    public @Nullable ByteBuf next() {
        ByteBuf from = input;
        if (from == null) {
            return pads ? padded() : null;
        }
        int bytes = Math.min(from.readableBytes(), PART - 2);
        ByteBuf out = allocator.directBuffer((bytes + count) / 3 * 4);
        for (int i = 0; i < bytes; i++) {
            bits = bits << 8 | from.readUnsignedByte();
            if (++count == 3) {
                write(out, 4);
            }
        }
        if (!from.isReadable()) {
            input = null;
            from.release();
        }
        return out;
    }

    private @Nullable ByteBuf padded() {
        pads = false;
        if (count == 0) {
            return null;
        }
        ByteBuf out = allocator.directBuffer(4);
        int characters = count + 1;
        bits <<= (3 - count) * 8;
        write(out, characters);
        for (int i = characters; i < 4; i++) {
            out.writeByte('=');
        }
        return out;
    }

    private void write(ByteBuf out, int characters) {
        for (int i = 0, shift = 18; i < characters; i++, shift -= 6) {
            out.writeByte(ALPHABET[bits >> shift & 0x3f]);
        }
        bits = 0;
        count = 0;
    }

    @Override
    public void flush() {
        pads = true;
    }

    @Override
    public byte[] end(byte[] trailers) {
        pads = true;
        return trailers;
    }

    @Override
    public void close() {
        ByteBuf rest = input;
        if (rest != null) {
            input = null;
            rest.release();
        }
    }
}
