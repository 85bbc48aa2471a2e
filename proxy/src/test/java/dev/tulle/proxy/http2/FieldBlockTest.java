package dev.tulle.proxy.http2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.charset.StandardCharsets;
import java.util.StringJoiner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks of fields, as Netty's decoder reads them. */
class FieldBlockTest {
    private static FieldBlock empty() {
        return new FieldBlock(new ByteSink());
    }

    private static String read(FieldBlock block) throws Http2Exception {
        Http2Headers fields =
                new DefaultHttp2HeadersDecoder(true, 1 << 20).decodeHeaders(1, Unpooled.wrappedBuffer(block.bytes()));
        StringJoiner all = new StringJoiner("; ");
        fields.forEach(field -> all.add(field.getKey() + "=" + field.getValue()));
        return all.toString();
    }

    /** Bytes as RFC 9113 section 6.5.2 counts them. */
    private static int sizeOf(String read) {
        int size = 0;
        for (String field : read.split("; ")) {
            size += field.length() - 1 + 32;
        }
        return size;
    }

    @Test
    void whatBothEndsKnowIsShort() throws Http2Exception {
        FieldBlock block = empty().known(FieldBlock.GET).known(FieldBlock.HTTP).known(FieldBlock.ROOT);
        assertEquals(3, block.bytes().length);
        assertEquals(":method=GET; :scheme=http; :path=/", read(block));
        assertEquals(sizeOf(read(block)), block.size());
        assertEquals(":status=200", read(empty().known(FieldBlock.OK)));
        assertEquals(":method=POST", read(empty().known(FieldBlock.POST)));
    }

    @Test
    void namesAreKnownSpelledOutOrReceived() throws Http2Exception {
        byte[] received = "Content-TYPE: a/b\r\nX-Other:\tc".getBytes(StandardCharsets.US_ASCII);
        FieldBlock block = empty().name(FieldBlock.AUTHORITY)
                .value("web:80")
                .name(FieldBlock.PATH)
                .value("/p?q")
                .name(received, 0, 12, FieldName.CONTENT_TYPE)
                .value(received, 14, 17)
                .name(received, 19, 26, FieldName.OTHER)
                .value(received, 28, 29)
                .name(FieldBlock.CONTENT_LENGTH)
                .value(1_234_567_890_123L)
                .name("te")
                .value("trailers")
                .name(FieldBlock.LOCATION)
                .value("");
        assertEquals(
                ":authority=web:80; :path=/p?q; content-type=a/b; x-other=c; content-length=1234567890123;"
                        + " te=trailers; location=",
                read(block));
        assertEquals(sizeOf(read(block)), block.size());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 126, 127, 128, 254, 255, 256, 16_510, 16_511, 16_512, 50_000})
    void valuesMayBeLong(int length) throws Http2Exception {
        String value = "v".repeat(length);
        assertEquals("x=" + value, read(empty().name("x").value(value)));
    }
}
