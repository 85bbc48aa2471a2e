package dev.tulle.proxy.filter;

import io.netty.buffer.ByteBuf;

/** Counts gRPC's messages in a body: each has a byte of flags, four bytes of length, and so many bytes. */
final class GrpcMessages {
    private static final int PREFIX = 5;

    private long count;

    /** Bytes of the prefix that have come; {@link #PREFIX} within a message. */
    private int prefix;

    /** What is left of the message; while the prefix comes, what is known of its length. */
    private long left;

    /** A piece passes; nothing is read off it. */
    void pass(ByteBuf piece) {
        int at = piece.readerIndex();
        int end = piece.writerIndex();
        while (at < end) {
            if (prefix < PREFIX) {
                if (prefix > 0) {
                    left = left << 8 | piece.getUnsignedByte(at);
                }
                at++;
                prefix++;
            } else {
                int part = (int) Math.min(left, end - at);
                at += part;
                left -= part;
            }
            if (prefix == PREFIX && left == 0) {
                count++;
                prefix = 0;
            }
        }
    }

    long count() {
        return count;
    }
}
