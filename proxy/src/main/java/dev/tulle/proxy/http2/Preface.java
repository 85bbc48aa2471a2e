package dev.tulle.proxy.http2;

import dev.tulle.proxy.http1.Http1Beginning;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** With what a client of HTTP/2 begins (RFC 9113 section 3.4), which no request of HTTP/1.1 is. */
public final class Preface {
    private static final byte[] BYTES = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    /** Bytes of it. */
    static final int LENGTH = BYTES.length;

    /** A whole head: whoever sends it means HTTP/2, for which its method is kept. */
    private static final int HEAD = "PRI * HTTP/2.0\r\n\r\n".length();

    private Preface() {}

    /** What the first bytes of a connection are: true for HTTP/2, false for something else, null when more are needed. */
    public static @Nullable Boolean isIt(ByteBuf first) {
        return begins(first, BYTES.length);
    }

    /**
     * The same where it is known to be HTTP: a client that goes on otherwise is told in HTTP/2 that it is wrong.
     *
     * @param said true where the port says that it is HTTP/2: whoever speaks no HTTP/1 either is told so as well
     */
    public static @Nullable Boolean isMeant(ByteBuf first, boolean said) {
        Boolean meant = begins(first, HEAD);
        if (meant == null || meant || !said) {
            return meant;
        }
        Boolean http1 = Http1Beginning.isMethod(first) ? null : Http1Beginning.isIt(first);
        return http1 == null ? null : Boolean.valueOf(!http1);
    }

    private static @Nullable Boolean begins(ByteBuf first, int length) {
        int n = Math.min(first.readableBytes(), length);
        for (int i = 0; i < n; i++) {
            if (first.getByte(first.readerIndex() + i) != BYTES[i]) {
                return false;
            }
        }
        return n == length ? Boolean.TRUE : null;
    }
}
