package dev.tulle.proxy.transport;

import dev.tulle.it.fuzz.Cost;
import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.proxy.transport.ProxyHeader.Read;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;

/**
 * Beginnings of connections as headers of the PROXY protocol: a decision stays what it is with more bytes behind it, is made
 * within the bound, needs no byte behind the header, and whom a header names, one that we write of him names again.
 */
public final class ProxyHeaderFuzz {
    private ProxyHeaderFuzz() {}

    /** One beginning. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 1_000_000, 8_000, () -> check(data));
    }

    private static void check(byte[] data) {
        Read whole = ProxyHeader.read(Unpooled.wrappedBuffer(data));
        Cost.must(!(whole instanceof Read.More) || data.length < ProxyHeader.MAX, "undecided beyond the bound");
        // Pieces of growing size, as a connection brings them.
        int step = Math.max(1, data.length / 64);
        for (int n = 0; n < data.length; n += step) {
            Read part = ProxyHeader.read(Unpooled.wrappedBuffer(data, 0, n));
            Cost.must(part instanceof Read.More || part.equals(whole), n + " bytes are " + part + ", all " + whole);
        }
        if (whole instanceof Read.Whole(int length, var ends)) {
            Cost.must(length > 0 && length <= data.length, "a header of " + length + " of " + data.length + " bytes");
            Cost.must(
                    ProxyHeader.read(Unpooled.wrappedBuffer(data, 0, length)).equals(whole), "a byte behind it counts");
            Cost.must(
                    ProxyHeader.read(Unpooled.wrappedBuffer(data, 0, length - 1)) instanceof Read.More,
                    "its last byte does not count");
            for (ProxyProtocol version : List.of(ProxyProtocol.V1, ProxyProtocol.V2)) {
                ends.ifPresent(both -> {
                    ByteBuf written = Unpooled.wrappedBuffer(ProxyHeader.write(version, both));
                    Cost.must(
                            ProxyHeader.read(written).equals(new Read.Whole(written.readableBytes(), ends)),
                            "written as " + version + " it is another one");
                });
            }
        }
    }

    /** Headers of both versions, right and wrong. */
    public static List<byte[]> seeds() {
        String signature = "0d0a0d0a000d0a515549540a";
        String four = "c0000207c63364019c4001bb";
        return List.of(
                text("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\nGET / HTTP/1.1\r\n"),
                text("PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 40000 443\r\n"),
                text("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"),
                text("PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n"),
                bytes(signature + "2111000c" + four + "16030100"),
                bytes(signature + "21110019" + four + "0400020000" + "20000500000000" + "00"),
                bytes(signature + "21110013" + four + "03000400000000"),
                bytes(signature + "21210024"
                        + "20010db800000000000000000000000720010db80000000000000000000000019c4001bb"),
                bytes(signature + "20000000"),
                bytes(signature + "21310000"));
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] bytes(String hex) {
        return HexFormat.of().parseHex(hex);
    }
}
