package dev.tulle.proxy.http1;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Chunked bodies: what is taken, what is refused, and that splitting never matters. */
class ChunkedBodyTest {
    private static final String BROKEN = "broken";

    private static final Map<String, String> VECTORS = Map.ofEntries(
            Map.entry("5\r\nhello\r\n0\r\n\r\n", "hello"),
            Map.entry("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nREST", "hello world"),
            Map.entry("a;x=y\r\n0123456789\r\n000\r\nTrailer: v\r\n\r\n", "0123456789"),
            Map.entry("A;q=\"a b\"\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            Map.entry("5;q=\"a\\\"b\\\\\";r=\"\"\r\nhello\r\n0\r\n\r\n", "hello"),
            Map.entry("5;q=\"a\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("5;q=\"a\\\"\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("5\nhello\n0\n\n", BROKEN),
            Map.entry("5\r\nhello0\r\n\r\n", BROKEN),
            Map.entry("5\r\nhello\n0\r\n\r\n", BROKEN),
            Map.entry("0x5\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("+5\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("-5\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("5_0\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry(" 5\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("5 \r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry(";x\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("ffffffffffffffff\r\n", BROKEN),
            Map.entry("10000000000000005\r\nhello\r\n", BROKEN),
            Map.entry("5;a=\"\nGET / HTTP/1.1\r\n", BROKEN),
            Map.entry("5;a=\"\r\nGET / HT", BROKEN),
            Map.entry("5;a\u0000\r\nhello\r\n0\r\n\r\n", BROKEN),
            Map.entry("0\r\nbad trailer: x\r\n\r\n", BROKEN),
            Map.entry("0\r\nx: a\rb\r\n\r\n", BROKEN),
            Map.entry("0\r\n x: a\r\n\r\n", BROKEN),
            Map.entry("0\r\nx\r\n\r\n", BROKEN));

    private static String read(String body, int cut) {
        byte[] bytes = body.getBytes(StandardCharsets.ISO_8859_1);
        ChunkedBody chunked = new ChunkedBody();
        StringBuilder out = new StringBuilder();
        for (int from = 0; from < bytes.length; from += cut) {
            ByteBuf in = Unpooled.wrappedBuffer(bytes, from, Math.min(cut, bytes.length - from));
            for (ByteBuf data = chunked.next(in); data != null; data = chunked.next(in)) {
                out.append(data.toString(StandardCharsets.ISO_8859_1));
                data.release();
            }
            in.release();
        }
        return chunked.isBroken() ? BROKEN : chunked.isComplete() ? out.toString() : "incomplete";
    }

    @Test
    void takesAndRefusesHoweverItIsSplit() {
        VECTORS.forEach((body, expected) -> {
            for (int cut = 1; cut <= body.length(); cut++) {
                assertEquals(expected, read(body, cut), body + " cut " + cut);
            }
        });
    }

    @Test
    void trailersAndExtensionsAreBounded() {
        assertEquals(BROKEN, read("0\r\n" + "x: yyyyyyyyyy\r\n".repeat(1_000) + "\r\n", 4_096));
        assertEquals(BROKEN, read("5;" + "x".repeat(2_000) + "\r\nhello\r\n0\r\n\r\n", 4_096));
    }
}
