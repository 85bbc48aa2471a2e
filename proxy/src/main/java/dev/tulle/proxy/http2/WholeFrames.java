package dev.tulle.proxy.http2;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Cuts what comes on a connection of HTTP/2 (RFC 9113 section 4.1) into whole frames. The beginning of one waits in a buffer
 * of its own: a few bytes would otherwise keep the buffer of a read, which is thousands of times as large. Every frame is
 * told of before anybody reads it. Loop-confined.
 */
abstract class WholeFrames {
    static final int DATA = 0;
    static final int HEADERS = 1;
    static final int SETTINGS = 4;
    static final int PUSH_PROMISE = 5;
    static final int CONTINUATION = 9;
    static final int END_STREAM = 1;
    static final int ACK = 1;
    static final int END_HEADERS = 4;

    private static final int HEAD = 9;

    /** What nobody was allowed more of; a longer one is passed on as it comes, and refused by its reader at once. */
    private static final int MAX_LENGTH = 16 << 10;

    /** Bytes that come before the first frame. */
    private int preface;

    private @Nullable ByteBuf begun;

    /** Bytes of the frame that has begun, with its head; 0 when its head is not whole. */
    private int wanted;

    private int type;
    private boolean passes;
    private boolean refused;
    private boolean over;

    /**
     * Nothing has come.
     *
     * @param preface bytes before the first frame
     */
    WholeFrames(int preface) {
        this.preface = preface;
    }

    /** The head of a frame is there; false when nothing more is to be read, this frame included. */
    protected abstract boolean begins(int type, int flags, int length);

    /** Frames, whole, which belong to the callee. */
    protected abstract void whole(ByteBuf frames) throws Exception;

    /** Bytes that wait for the rest of their frame. */
    final int waiting() {
        ByteBuf now = begun;
        return now == null ? 0 : now.readableBytes();
    }

    /** True while the connection stands in the middle of something whose end its reader needs: not of a piece of a body. */
    final boolean isAmidHead() {
        return begun != null && (wanted == 0 || preface > 0 || type != DATA);
    }

    /** Takes bytes; false when these had a frame that is not to be read, and nothing is read any more. */
    final boolean read(ByteBufAllocator allocator, ByteBuf in) throws Exception {
        boolean before = refused;
        take(allocator, in);
        return before || !refused;
    }

    private void take(ByteBufAllocator allocator, ByteBuf in) throws Exception {
        ByteBuf before = begun;
        if (before != null && !over) {
            begun = null;
            if (!complete(before, in)) {
                return;
            }
        }
        // What is no preface is never going to be whole, and its reader says so at once.
        passes |= isNoPreface(in);
        if (passes && !over) {
            whole(in);
            return;
        }
        int at = in.readerIndex();
        int from = at;
        int end = in.writerIndex();
        if (preface > 0 && !over && end - at >= preface) {
            at += preface;
            preface = 0;
        }
        while (!over && preface == 0 && end - at >= HEAD) {
            int length = head(in, at);
            if (over) {
                break;
            }
            if (passes) {
                at = end;
            } else if (end - at - HEAD < length) {
                break;
            } else {
                at += HEAD + length;
                wanted = 0;
            }
        }
        rest(allocator, in, from, at);
    }

    private boolean isNoPreface(ByteBuf first) {
        return preface > 0 && Boolean.FALSE.equals(Preface.isIt(first));
    }

    /** Reads the head of a frame, and tells of it. */
    private int head(ByteBuf in, int at) {
        int length = in.getUnsignedMedium(at);
        type = in.getUnsignedByte(at + 3);
        wanted = HEAD + length;
        passes = length > MAX_LENGTH;
        refused = !begins(type, in.getUnsignedByte(at + 4), length);
        over |= refused;
        return length;
    }

    /** Passes on what is whole, keeps what is not. */
    private void rest(ByteBufAllocator allocator, ByteBuf in, int from, int at) throws Exception {
        int left = in.writerIndex() - at;
        if (over) {
            in.release();
            return;
        }
        if (left > 0) {
            begun = allocator.directBuffer(left).writeBytes(in, at, left);
        }
        if (at == from) {
            in.release();
        } else {
            whole(in.writerIndex(at));
        }
    }

    /** Adds to what has begun; false when all was taken, and the frame is not whole yet. */
    private boolean complete(ByteBuf before, ByteBuf in) throws Exception {
        if (preface == 0 && wanted == 0) {
            move(in, before, HEAD);
            if (before.readableBytes() == HEAD) {
                head(before, before.readerIndex());
            }
        }
        if (over) {
            before.release();
            in.release();
            return false;
        }
        if (!passes) {
            move(in, before, preface > 0 ? preface : wanted);
            passes = isNoPreface(before);
            boolean whole = passes
                    || (preface > 0
                            ? before.readableBytes() == preface
                            : wanted > 0 && before.readableBytes() == wanted);
            if (!whole) {
                begun = before;
                in.release();
                return false;
            }
        }
        preface = 0;
        wanted = 0;
        boolean more = in.isReadable();
        if (!more) {
            in.release();
        }
        whole(before);
        return more;
    }

    private static void move(ByteBuf from, ByteBuf to, int until) {
        to.writeBytes(from, Math.min(from.readableBytes(), Math.max(until - to.readableBytes(), 0)));
    }

    /** Throws away what waits: the connection is over. */
    final void release() {
        ByteBuf now = begun;
        begun = null;
        over = true;
        if (now != null) {
            now.release();
        }
    }
}
