package dev.tulle.proxy.http2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the first bytes of a connection are taken for, however many of them have come. */
class PrefaceTest {
    private static @Nullable Boolean isHttp2(String text, boolean said) {
        ByteBuf bytes = Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1);
        try {
            return Preface.isMeant(bytes, said);
        } finally {
            bytes.release();
        }
    }

    /** Up to the byte that decides nothing is said; from there on it is the same. */
    @ParameterizedTest
    @CsvSource({
        "'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', true, 18",
        "'PRI * HTTP/2.0\r\n\r\nXX', true, 18",
        "'PRI * HTTP/1.1\r\n', false, 16",
        "'PRI * HTTP/1.1\n\r', true, 15",
        "'GET / HTTP/1.1\r\n', false, 4",
        "'CONNECT a:1 HTTP/1.1\r\n', false, 8",
        "'PROPFIND /a HTTP/1.0\r\nx', false, 22",
        "'PROPFIND /a HTTP/2.0\r\nx', true, 22",
        "'INVALID CONNECTION PREFACE\r\n\r\n', true, 28",
        "'get / HTTP/1.1\r\n', true, 1",
        "'GET\r\n', true, 4",
        "'\u0016\u0003\u0001', true, 1",
        "'\r\nGET / HTTP/1.1\r\n', true, 1",
    })
    void whereThePortSaysHttp2(String text, boolean http2, int decides) {
        for (int length = 1; length <= text.length(); length++) {
            assertEquals(
                    length < decides ? null : http2, isHttp2(text.substring(0, length), true), text + " " + length);
        }
        assertEquals(true, isHttp2("M" + "X".repeat(8_191), true));
        assertEquals(null, isHttp2("M " + "x".repeat(8_000), true));
        assertEquals(true, isHttp2("M " + "x".repeat(8_190), true));
    }

    @ParameterizedTest
    @CsvSource({
        "'PRI * HTTP/2.0\r\n\r\nXX', true, 18",
        "'PRI * HTTP/1.1\r\n', false, 12",
        "'INVALID CONNECTION PREFACE\r\n\r\n', false, 1",
        "'get / HTTP/1.1\r\n', false, 1",
    })
    void whereItDoesNot(String text, boolean http2, int decides) {
        for (int length = 1; length <= text.length(); length++) {
            assertEquals(
                    length < decides ? null : http2, isHttp2(text.substring(0, length), false), text + " " + length);
        }
    }
}
