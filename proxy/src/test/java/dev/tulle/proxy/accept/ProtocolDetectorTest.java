package dev.tulle.proxy.accept;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What the first bytes of a connection are taken for. */
class ProtocolDetectorTest {
    private static @Nullable Boolean isHttp(String text) {
        ByteBuf bytes = Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1);
        try {
            return ProtocolDetector.isHttp(bytes);
        } finally {
            bytes.release();
        }
    }

    @Test
    void commonMethodsAreBelievedAtOnce() {
        for (String start : List.of("GET ", "GET /x HTTP/1.1\r\n", "DELETE /", "OPTIONS *", "CONNECT a:1")) {
            assertEquals(true, isHttp(start), start);
        }
        assertEquals(true, isHttp("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000"));
        for (String start : List.of("G", "PO", "OPTIONS", "TRACE", "PRI * HTTP/2.0\r\n\r\nSM")) {
            assertEquals(null, isHttp(start), start);
        }
    }

    @Test
    void othersWithTheirWholeLine() {
        for (String line : List.of(
                "PROPFIND /a HTTP/1.1\r\n",
                "PURGE /a?b HTTP/1.0\r\nHost: c\r\n",
                "M-SEARCH * HTTP/1.1\r\nMAN: x\r\n\r\n")) {
            assertEquals(true, isHttp(line), line);
            assertEquals(null, isHttp(line.substring(0, line.indexOf('\r'))), line);
        }
    }

    @Test
    void otherProtocolsAreBytes() {
        for (String start : List.of(
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r!",
                "PRIVATE\r\n",
                "EHLO example.org\r\n",
                "CWD /HTTP/1.1\r\n",
                "SET /key HTTP/1.1\n",
                "MKCOL /a HTTP/3.1\r\n",
                "SSH-2.0-x\r\n",
                "get key\r\n",
                "GETX",
                "\u0016\u0003\u0001",
                "LONG " + "a".repeat(9_000))) {
            assertEquals(false, isHttp(start), start);
        }
    }
}
