package dev.tulle.proxy.body;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Lets a call's trailers follow its messages in the body, as gRPC-Web has them: behind a byte 0x80 and their length. */
public final class TrailersFrame implements BodyChange {
    private static final int FLAG = 0x80;

    private final ByteBufAllocator allocator;
    private @Nullable ByteBuf waiting;

    /** Makes the frame of this memory. */
    public TrailersFrame(ByteBufAllocator allocator) {
        this.allocator = allocator;
    }

    @Override
    public void take(ByteBuf piece) {
        waiting = piece;
    }

    @Override
    public @Nullable ByteBuf next() {
        ByteBuf all = waiting;
        waiting = null;
        return all;
    }

    @Override
    public byte[] end(byte[] trailers) {
        if (trailers.length > 0) {
            byte[] lines = written(trailers);
            waiting = allocator
                    .directBuffer(5 + lines.length)
                    .writeByte(FLAG)
                    .writeInt(lines.length)
                    .writeBytes(lines);
        }
        return new byte[0];
    }

    /** Names in lower case, and nothing between colon and value, as Envoy writes them. */
    private static byte[] written(byte[] trailers) {
        StringBuilder out = new StringBuilder(trailers.length);
        for (String line : new String(trailers, StandardCharsets.ISO_8859_1).split("\r\n", -1)) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                out.append(line.substring(0, colon).toLowerCase(Locale.ROOT)).append(':');
                out.append(line.substring(colon + 1).strip()).append("\r\n");
            }
        }
        return out.toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    @Override
    public void close() {
        ByteBuf rest = waiting;
        if (rest != null) {
            waiting = null;
            rest.release();
        }
    }
}
