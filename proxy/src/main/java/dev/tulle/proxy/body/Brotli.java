package dev.tulle.proxy.body;

import com.aayushatharva.brotli4j.encoder.BrotliEncoderChannel;
import com.aayushatharva.brotli4j.encoder.Encoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/** Writes a body as Brotli does (RFC 7932). What it gives for a piece is hardly longer than that. Loop-confined. */
final class Brotli implements BodyChange {
    /** Below what is worth it for files that are compressed once: an answer is compressed for one client. */
    private static final int QUALITY = 3;

    /** 256 KiB: what a stream remembers. */
    private static final int WINDOW_BITS = 18;

    private static final int BUFFER = 16 << 10;

    private final Pieces pieces;
    private final ByteBufAllocator allocator;
    private final BrotliEncoderChannel encoder;
    private @Nullable ByteBuf made;
    private boolean unflushed;
    private boolean closed;

    Brotli(ByteBufAllocator allocator) {
        this.allocator = allocator;
        this.pieces = new Pieces(allocator);
        try {
            encoder =
                    new BrotliEncoderChannel(new Collector(), Encoder.Parameters.create(QUALITY, WINDOW_BITS), BUFFER);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Where the encoder puts what it makes. */
    private final class Collector implements WritableByteChannel {
        @Override
        public int write(ByteBuffer bytes) {
            int n = bytes.remaining();
            ByteBuf to = made;
            if (to == null) {
                to = allocator.directBuffer(Math.max(256, n));
                made = to;
            }
            to.writeBytes(bytes);
            return n;
        }

        @Override
        public boolean isOpen() {
            return !closed;
        }

        @Override
        public void close() {
            // The encoder's end is told to it, not to this.
        }
    }

    @FunctionalInterface
    private interface Work {
        void run() throws IOException;
    }

    private static void run(Work work) {
        try {
            work.run();
        } catch (IOException e) {
            throw new UncheckedIOException("brotli", e);
        }
    }

    @Override
    public void take(ByteBuf piece) {
        unflushed = true;
        pieces.take(piece);
        ByteBuffer bytes = pieces.left();
        if (bytes != null) {
            run(() -> {
                while (bytes.hasRemaining()) {
                    encoder.write(bytes);
                }
            });
        }
        pieces.release();
    }

    @Override
    public @Nullable ByteBuf next() {
        ByteBuf all = made;
        if (all == null) {
            return null;
        }
        if (all.readableBytes() > PIECE) {
            return all.readRetainedSlice(PIECE);
        }
        made = null;
        return all;
    }

    @Override
    public void flush() {
        if (unflushed) {
            unflushed = false;
            run(encoder::flush);
        }
    }

    @Override
    public byte[] end(byte[] trailers) {
        close(true);
        return trailers;
    }

    private void close(boolean whole) {
        if (!closed) {
            run(encoder::close);
            closed = true;
        }
        ByteBuf rest = made;
        if (!whole && rest != null) {
            made = null;
            rest.release();
        }
    }

    @Override
    public void close() {
        close(false);
        pieces.release();
    }
}
