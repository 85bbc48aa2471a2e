package dev.tulle.proxy.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.Ip;
import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.proxy.transport.ProxyHeader.Read;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProxyHeaderTest {
    private static final String SIGNATURE = "0d0a0d0a000d0a515549540a";
    private static final String ENDS4 = "c0000207c63364019c4001bb";
    private static final String ENDS6 = "20010db800000000000000000000000720010db80000000000000000000000019c4001bb";

    private static ByteBuf text(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1);
    }

    /** A header of version 2 with its length. */
    private static byte[] binary(String command, String family, String rest) {
        int length = rest.length() / 2;
        return HexFormat.of()
                .parseHex(SIGNATURE + command + family + HexFormat.of().toHexDigits((short) length) + rest);
    }

    private static String text(InetSocketAddress end) {
        return Ip.text(end.getAddress(), end.getPort());
    }

    private static String shown(Read read) {
        return switch (read) {
            case Read.More _ -> "more";
            case Read.Wrong(String reason) -> reason.replace("proxy_header_", "");
            case Read.Whole(int length, Optional<ProxyHeader.Ends> ends) ->
                length + " "
                        + ends.map(both -> text(both.client()) + " " + text(both.dialled()))
                                .orElse("itself");
        };
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443~ | 45 192.0.2.7:40000 198.51.100.1:443",
                "PROXY TCP4 192.0.2.7 198.51.100.1 0 65535~GET / | 43 192.0.2.7:0 198.51.100.1:65535",
                "PROXY TCP6 2001:db8::7 2001:db8::1 40000 443~ | 46 [2001:db8::7]:40000 [2001:db8::1]:443",
                "PROXY UNKNOWN~ | 15 itself",
                "PROXY UNKNOWN ffff::1 ffff::2 1 2~ | 35 itself",
                "PROXY UNKNOWN anything~ | 24 itself",
                "P | more",
                "PROXY | more",
                "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 | more",
                "GET / HTTP/1.1~ | missing",
                "PROXy TCP4 | missing",
                "proxy TCP4 192.0.2.7 198.51.100.1 1 2~ | missing",
                "PROXY TCP4 192.0.2.7 198.51.100.1 40000~ | malformed",
                "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 ~ | malformed",
                "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 1~ | malformed",
                "PROXY TCP4  192.0.2.7 198.51.100.1 40000 443~ | malformed",
                "PROXY TCP4 192.0.2.7 198.51.100.1 40000 65536~ | malformed",
                "PROXY TCP4 192.0.2.7 198.51.100.1 040000 443~ | malformed",
                "PROXY TCP4 192.0.2.7 198.51.100.1 -1 443~ | malformed",
                "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443~ | malformed",
                "PROXY TCP4 192.0.2.007 198.51.100.1 1 443~ | malformed",
                "PROXY TCP4 192.0.2.256 198.51.100.1 1 443~ | malformed",
                "PROXY TCP4 2001:db8::7 2001:db8::1 1 443~ | malformed",
                "PROXY TCP6 192.0.2.7 198.51.100.1 1 443~ | malformed",
                "PROXY TCP6 fe80::1%lo 2001:db8::1 1 443~ | malformed",
                "PROXY UDP4 192.0.2.7 198.51.100.1 1 443~ | malformed",
                "PROXY ~ | malformed",
                "PROXY TCP4 host other 1 443~ | malformed",
            })
    void aLine(String line, String read) {
        assertEquals(read, shown(ProxyHeader.read(text(line.replace("~", "\r\n")))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\n", "PROXY UNKNOWN\n"})
    void aLineEndsWithBoth(String line) {
        assertEquals("malformed", shown(ProxyHeader.read(text(line))));
    }

    @Test
    void aLineHasABound() {
        String most = "PROXY UNKNOWN " + "x".repeat(ProxyHeader.MAX_TEXT - 16);
        assertEquals(ProxyHeader.MAX_TEXT + " itself", shown(ProxyHeader.read(text(most + "\r\n"))));
        assertEquals("malformed", shown(ProxyHeader.read(text(most + "xx\r\n"))));
        assertEquals("more", shown(ProxyHeader.read(text(most))));
    }

    @ParameterizedTest
    @CsvSource({
        // Who speaks for somebody.
        "21, 11, " + ENDS4 + ", 28 192.0.2.7:40000 198.51.100.1:443",
        "21, 21, " + ENDS6 + ", 52 [2001:db8::7]:40000 [2001:db8::1]:443",
        // And for himself.
        "20, 00, '', 16 itself",
        "20, 11, " + ENDS4 + ", 28 itself",
        "20, ff, ffffff, 19 itself",
        "21, 00, '', 16 itself",
        "21, 00, 0102, 18 itself",
        // Other things that are said are passed over.
        "21, 11, " + ENDS4 + "0400020000020004746573740100026832, 45 192.0.2.7:40000 198.51.100.1:443",
        // Neither datagrams nor sockets of Unix.
        "21, 12, " + ENDS4 + ", unsupported",
        "21, 22, " + ENDS6 + ", unsupported",
        "21, 10, " + ENDS4 + ", unsupported",
        "21, 31, " + ENDS6 + ", unsupported",
        "21, 32, '', unsupported",
        "11, 11, " + ENDS4 + ", malformed",
        "22, 11, " + ENDS4 + ", malformed",
        "21, 41, " + ENDS4 + ", malformed",
        "21, 11, c0000207c63364019c4001, malformed",
        "21, 21, " + ENDS4 + ", malformed",
        // Of what is said the length is wrong.
        "21, 11, " + ENDS4 + "04, malformed",
        "21, 11, " + ENDS4 + "0400, malformed",
        "21, 11, " + ENDS4 + "04000100ff, malformed",
        "21, 11, " + ENDS4 + "040001, malformed",
    })
    void bytes(String command, String family, String rest, String read) {
        byte[] header = binary(command, family, rest);
        assertEquals(read, shown(ProxyHeader.read(Unpooled.wrappedBuffer(header))));
        for (int i = 0; i < 16; i++) {
            assertEquals("more", shown(ProxyHeader.read(Unpooled.wrappedBuffer(header, 0, i))), "after " + i);
        }
    }

    @Test
    void aChecksumIsCheckedWhereThereIsOne() {
        byte[] header = binary("21", "11", ENDS4 + "0400020000" + "03000400000000");
        CRC32C sum = new CRC32C();
        sum.update(header);
        ByteBuffer.wrap(header).putInt(header.length - 4, (int) sum.getValue());
        assertInstanceOf(Read.Whole.class, ProxyHeader.read(Unpooled.wrappedBuffer(header)));
        int type = header.length - 7;
        for (int i = 16; i < header.length; i++) {
            // Without its type there is no checksum.
            if (i != type) {
                header[i] ^= 1;
                assertTrue(
                        ProxyHeader.read(Unpooled.wrappedBuffer(header)) instanceof Read.Wrong, "another byte at " + i);
                header[i] ^= 1;
            }
        }
        assertEquals(
                "malformed",
                shown(ProxyHeader.read(Unpooled.wrappedBuffer(binary("21", "11", ENDS4 + "030003000000")))));
    }

    @Test
    void aHeaderHasABound() {
        byte[] header = binary("21", "11", ENDS4);
        header[14] = (byte) 0xff;
        assertEquals("too_long", shown(ProxyHeader.read(Unpooled.wrappedBuffer(header, 0, 16))));
    }

    @ParameterizedTest
    @CsvSource({
        "V1, 192.0.2.7, 198.51.100.1, PROXY TCP4 192.0.2.7 198.51.100.1 40000 443",
        "V1, 2001:db8::7, 2001:db8::1, PROXY TCP6 2001:db8::7 2001:db8::1 40000 443",
        "V1, 192.0.2.7, 2001:db8::1, PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 40000 443",
        "V2, 192.0.2.7, 198.51.100.1, ''",
        "V2, 2001:db8::7, 2001:db8::1, ''",
        "V2, 192.0.2.7, 2001:db8::1, ''",
    })
    void whatIsWrittenIsRead(ProxyProtocol version, String client, String dialled, String line) {
        ProxyHeader.Ends ends = new ProxyHeader.Ends(
                new InetSocketAddress(Ip.parse(client).orElseThrow(), 40_000),
                new InetSocketAddress(Ip.parse(dialled).orElseThrow(), 443));
        byte[] header = ProxyHeader.write(version, ends);
        if (version == ProxyProtocol.V1) {
            assertEquals(line + "\r\n", new String(header, StandardCharsets.US_ASCII));
        }
        assertEquals(
                new Read.Whole(header.length, Optional.of(ends)), ProxyHeader.read(Unpooled.wrappedBuffer(header)));
    }
}
