package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Reads a body of Base64 (RFC 4648 section 4) of any number of parts, each with its padding, as gRPC-Web writes them. Strict:
 * nothing but the alphabet, and no bits that nobody reads. Loop-confined.
 */
public final class Base64Reader implements BodyChange {
    private static final int GROUP = 4;
    private static final int PADDING = -2;
    private static final byte[] VALUES = values();

    private final ByteBufAllocator allocator;
    private @Nullable ByteBuf input;
    private int bits;
    private int count;
    private int padding;

    /** Makes pieces of this memory. */
    public Base64Reader(ByteBufAllocator allocator) {
        this.allocator = allocator;
    }

    private static byte[] values() {
        byte[] values = new byte[256];
        Arrays.fill(values, (byte) -1);
        String alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (int i = 0; i < alphabet.length(); i++) {
            values[alphabet.charAt(i)] = (byte) i;
        }
        values['='] = PADDING;
        return values;
    }

    @Override
    public void take(ByteBuf piece) {
        input = piece;
    }

    @Override
    public @Nullable ByteBuf next() {
        ByteBuf from = input;
        if (from == null) {
            return null;
        }
        int characters = Math.min(from.readableBytes(), PIECE);
        ByteBuf out = allocator.directBuffer(characters / GROUP * 3 + 3);
        boolean good = false;
        try {
            for (int i = 0; i < characters; i++) {
                read(VALUES[from.readUnsignedByte()], out);
            }
            good = true;
        } finally {
            if (!good) {
                out.release();
            }
        }
        if (!from.isReadable()) {
            input = null;
            from.release();
        }
        return out;
    }

    private void read(int value, ByteBuf out) {
        if (value == PADDING ? count < 2 : value < 0 || padding > 0) {
            throw broken();
        }
        bits = bits << 6 | Math.max(0, value);
        padding += value == PADDING ? 1 : 0;
        if (++count == GROUP) {
            int unread = padding == 0 ? 0 : (1 << (padding * 8)) - 1;
            if ((bits & unread) != 0) {
                throw broken();
            }
            for (int shift = 16; shift >= padding * 8; shift -= 8) {
                out.writeByte(bits >> shift);
            }
            bits = 0;
            count = 0;
            padding = 0;
        }
    }

    private static BrokenBodyException broken() {
        return new BrokenBodyException(400, "grpc_base_64_decode_failed", "Bad gRPC-web request, invalid base64 data.");
    }

    @Override
    public byte[] end(byte[] trailers) {
        if (count > 0) {
            throw broken();
        }
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
