package dev.tulle.proxy.body;

import com.github.luben.zstd.ZstdInputStream;
import dev.tulle.model.Coding;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.compression.BrotliDecoder;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;

/** Reads compressed bodies; what was flushed is read without waiting for more. */
public final class Decoding {
    private Decoding() {}

    /** The body that stands in a stream. */
    public static InputStream of(Coding coding, InputStream in) throws IOException {
        return switch (coding) {
            case GZIP -> new GZIPInputStream(in);
            case BROTLI -> new Brotli(in);
            case ZSTD -> new ZstdInputStream(in);
        };
    }

    /** The library's own stream waits for more than it needs. */
    private static final class Brotli extends InputStream {
        private final InputStream in;
        private final EmbeddedChannel decoder = new EmbeddedChannel(new BrotliDecoder());
        private ByteBuf made = Unpooled.EMPTY_BUFFER;

        Brotli(InputStream in) {
            this.in = in;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            while (length > 0 && !made.isReadable()) {
                ByteBuf next = decoder.readInbound();
                if (next != null) {
                    made = next;
                    continue;
                }
                byte[] more = new byte[1 << 10];
                int n = in.read(more);
                if (n < 0) {
                    decoder.finishAndReleaseAll();
                    return -1;
                }
                decoder.writeInbound(Unpooled.wrappedBuffer(more, 0, n));
            }
            int n = Math.min(length, made.readableBytes());
            made.readBytes(into, offset, n);
            if (!made.isReadable()) {
                // At once: a reader that has enough does not come again.
                made.release();
                made = Unpooled.EMPTY_BUFFER;
            }
            return n;
        }
    }
}
