package dev.tulle.proxy.http1;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.http2.FieldBlock;
import dev.tulle.proxy.http2.SentHeads;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.stream.Peer;
import dev.tulle.proxy.transport.ProxyHeader;
import dev.tulle.telemetry.WorkloadLabels;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What trusted proxies before the edge say, held to a table of what a real Envoy makes of it (it/edge/hops.py). */
class TrustedHopsTest {
    private static final int FOR = 2;
    private static final int PROTO = 3;
    private static final int EXTERNAL = 4;
    private static final int SCHEME = 5;
    private static final int REMOTE = 6;

    private record AsReceived(RequestHead head, Sender sender) implements ForwardedRequest {
        @Override
        public @Nullable String path() {
            return null;
        }

        @Override
        public @Nullable String authority() {
            return null;
        }

        @Override
        public HeaderProgram changes() {
            return HeaderProgram.NONE;
        }
    }

    static Stream<List<String>> rows() throws IOException {
        try (BufferedReader table = new BufferedReader(new InputStreamReader(
                Objects.requireNonNull(TrustedHopsTest.class.getResourceAsStream("/dev/tulle/proxy/trusted-hops.txt")),
                StandardCharsets.UTF_8))) {
            List<List<String>> rows = table.lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(line ->
                            Stream.of(line.split("\\|", -1)).map(String::strip).toList())
                    .toList();
            assertTrue(rows.size() > 100, rows.size() + " rows");
            return rows.stream();
        }
    }

    private static Peer peer(int hops) {
        return new Peer(
                "192.0.2.7:40000",
                0,
                "198.51.100.1:443",
                new ProxyHeader.Ends(
                        new InetSocketAddress("192.0.2.7", 40_000), new InetSocketAddress("198.51.100.1", 443)),
                WorkloadDirectory.Entry.fixed(WorkloadLabels.UNKNOWN),
                true,
                "192.0.2.7",
                false,
                hops);
    }

    private static RequestHead head(String... fields) {
        StringBuilder text = new StringBuilder("GET / HTTP/1.1\r\nHost: any\r\n");
        Stream.of(fields).filter(field -> !field.isEmpty()).forEach(field -> text.append(field)
                .append("\r\n"));
        RequestHead head = new RequestHead();
        assertEquals(
                ParseStatus.COMPLETE,
                head.read(Unpooled.wrappedBuffer(text.append("\r\n").toString().getBytes(StandardCharsets.US_ASCII))));
        return head;
    }

    private static String sent(RequestHead head, Peer peer) {
        ByteSink out = new ByteSink();
        HeadWriter.request(out, new AsReceived(head, peer), new SplittableRandom(1));
        return new String(out.array(), 0, out.length(), StandardCharsets.US_ASCII);
    }

    private static Http2Headers sentInHttp2(RequestHead head, Peer peer) throws Http2Exception {
        FieldBlock fields = new FieldBlock(new ByteSink());
        SentHeads.request(fields, new AsReceived(head, peer), false, new SplittableRandom(1));
        return new DefaultHttp2HeadersDecoder().decodeHeaders(1, Unpooled.wrappedBuffer(fields.bytes()));
    }

    private static List<String> values(String sent, String name) {
        List<String> values = new ArrayList<>();
        sent.lines()
                .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
                .forEach(line -> values.add(line.substring(name.length() + 1).strip()));
        return values;
    }

    @ParameterizedTest
    @MethodSource("rows")
    void aRequestSaysWhatItSaysBehindEnvoy(List<String> row) throws Http2Exception {
        Peer peer = peer(Integer.parseInt(row.getFirst()));
        RequestHead head = head(row.get(1).split(" ; ", -1));
        String sent = sent(head, peer);
        Http2Headers fields = sentInHttp2(head, peer);
        OutsideView view = new OutsideView(head, peer);
        for (var one : List.of(
                List.of("x-forwarded-for", row.get(FOR)),
                List.of("x-forwarded-proto", row.get(PROTO)),
                List.of("x-envoy-external-address", row.get(EXTERNAL)))) {
            assertEquals(List.of(one.get(1)), values(sent, one.getFirst()), sent);
            assertEquals(
                    List.of(one.get(1)),
                    fields.getAll(one.getFirst()).stream()
                            .map(CharSequence::toString)
                            .collect(Collectors.toList()));
            assertEquals(List.of(one.get(1)), view.headers(one.getFirst()));
        }
        assertEquals(row.get(SCHEME), view.scheme());
        assertEquals(row.get(REMOTE), peer.remote(head));
    }

    @Test
    void whatElseATrustedProxySaysGoesOnButForCertificatesAndWhatEnvoysTellEachOther() {
        RequestHead head = head(
                "Forwarded: for=1.2.3.4",
                "X-Real-IP: 1.2.3.4",
                "X-Forwarded-Host: shop",
                "X-Forwarded-Port: 99",
                "X-Forwarded-Client-Cert: By=x",
                "X-Envoy-Internal: true",
                "X-Envoy-Attempt-Count: 7",
                "x_forwarded_for: 7.7.7.7",
                "x_forwarded_host: evil");
        assertEquals(
                "GET / HTTP/1.1|Host: any|Forwarded: for=1.2.3.4|X-Real-IP: 1.2.3.4|X-Forwarded-Host: shop"
                        + "|X-Forwarded-Port: 99|x-forwarded-for: 192.0.2.7|x-envoy-external-address: 192.0.2.7"
                        + "|x-forwarded-proto: http|",
                sent(head, peer(1))
                        .replaceAll("x-request-id: .*\r\n", "")
                        .replace("\r\n", "|")
                        .replaceAll("\\|\\|$", "|"));
        OutsideView view = new OutsideView(head, peer(1));
        assertEquals(List.of("shop"), view.headers("x-forwarded-host"));
        assertEquals(List.of(), view.headers("x-envoy-internal"));
        assertEquals(List.of(), view.headers("x-forwarded-client-cert"));
        assertEquals(List.of(), new OutsideView(head, peer(0)).headers("x-forwarded-host"));
    }

    /** Only the last hop may nominate a field of its own connection: what it says of its caller is no such field. */
    @Test
    void aFieldThatConnectionNamesIsReadAllTheSame() {
        RequestHead head = head(
                "Connection: x-forwarded-for, x-forwarded-proto",
                "X-Forwarded-For: 203.0.113.9",
                "X-Forwarded-Proto: https");
        String sent = sent(head, peer(1));
        assertEquals(List.of("203.0.113.9,192.0.2.7"), values(sent, "x-forwarded-for"), sent);
        assertEquals(List.of("https"), values(sent, "x-forwarded-proto"), sent);
    }

    /** Envoy keeps the form of IPv6, with which a rule about the address would not find it. */
    @Test
    void aMappedAddressIsAnIPv4One() {
        RequestHead head = head("X-Forwarded-For: ::ffff:203.0.113.9");
        assertEquals("203.0.113.9", ForwardingFields.caller(head, peer(1)));
    }
}
