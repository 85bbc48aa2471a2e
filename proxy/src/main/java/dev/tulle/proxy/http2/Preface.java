package dev.tulle.proxy.http2;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** With what a client of HTTP/2 begins (RFC 9113 section 3.4), which no request of HTTP/1.1 is. */
public final class Preface {
    private static final byte[] BYTES = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    private Preface() {}

    /** What the first bytes of a connection are: true for HTTP/2, false for something else, null when more are needed. */
    public static @Nullable Boolean isIt(ByteBuf first) {
        int n = Math.min(first.readableBytes(), BYTES.length);
        for (int i = 0; i < n; i++) {
            if (first.getByte(first.readerIndex() + i) != BYTES[i]) {
                return false;
            }
        }
        return n == BYTES.length ? Boolean.TRUE : null;
    }
}
