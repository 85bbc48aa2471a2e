package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;

/** Writes a body as one member of gzip (RFC 1952). Loop-confined. */
final class Gzip implements BodyChange {
    private static final int LEVEL = 5;

    /** No name, no time, an unknown system. */
    private static final byte[] HEADER = {0x1f, (byte) 0x8b, Deflater.DEFLATED, 0, 0, 0, 0, 0, 0, (byte) 0xff};

    private static final byte[] NONE = {};

    private enum Wants {
        NOTHING,
        FLUSH,
        END,
        /** Everything was given. */
        OVER
    }

    private final Pieces pieces;
    private final Deflater deflater = new Deflater(LEVEL, true);
    private final CRC32 sum = new CRC32();
    private boolean begun;
    private boolean unflushed;
    private Wants wants = Wants.NOTHING;

    Gzip(ByteBufAllocator allocator) {
        this.pieces = new Pieces(allocator);
    }

    @Override
    public void take(ByteBuf piece) {
        pieces.take(piece);
        ByteBuffer bytes = pieces.left();
        if (bytes != null) {
            sum.update(bytes.duplicate());
            deflater.setInput(bytes);
        }
        unflushed = true;
    }

    @Override
    public @Nullable ByteBuf next() {
        if (wants == Wants.OVER || (wants == Wants.NOTHING && deflater.needsInput())) {
            // Else it would look at this piece's memory again, which may be gone by then.
            deflater.setInput(NONE);
            pieces.release();
            return null;
        }
        ByteBuf out = pieces.room();
        if (!begun) {
            begun = true;
            out.writeBytes(HEADER);
        }
        int room = out.writableBytes();
        int n = deflater.deflate(
                out.nioBuffer(out.writerIndex(), room), wants == Wants.FLUSH ? Deflater.SYNC_FLUSH : Deflater.NO_FLUSH);
        out.writerIndex(out.writerIndex() + n);
        if (wants == Wants.FLUSH && n < room) {
            wants = Wants.NOTHING;
        }
        if (wants == Wants.END && deflater.finished() && out.writableBytes() >= 8) {
            wants = Wants.OVER;
            out.writeIntLE((int) sum.getValue());
            out.writeIntLE((int) deflater.getBytesRead());
        }
        return out;
    }

    @Override
    public void flush() {
        if (unflushed && wants == Wants.NOTHING) {
            unflushed = false;
            wants = Wants.FLUSH;
        }
    }

    @Override
    public byte[] end(byte[] trailers) {
        wants = Wants.END;
        deflater.finish();
        return trailers;
    }

    @Override
    public void close() {
        wants = Wants.OVER;
        deflater.end();
        pieces.release();
    }
}
