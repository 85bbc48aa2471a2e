package dev.tulle.proxy.http1;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.PathNormalizer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which requests are accepted and which are refused and why; that splitting never matters. */
class RequestHeadTest {
    private record Vector(String request, ParseStatus expected) {}

    private static final String OK = "Host: a\r\n\r\n";

    private static final List<Vector> VECTORS = List.of(
            new Vector("GET / HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("\r\nGET / HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("\r\n\r\n\r\nGET / HTTP/1.1\r\n" + OK, ParseStatus.BAD_START_LINE),
            new Vector("GET / HTTP/1.0\r\n\r\n", ParseStatus.COMPLETE),
            new Vector("OPTIONS * HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET http://a/x HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET http://A HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", ParseStatus.COMPLETE),
            // start line
            new Vector("GET /\r\n" + OK, ParseStatus.BAD_START_LINE),
            new Vector("GET  / HTTP/1.1\r\n" + OK, ParseStatus.BAD_START_LINE),
            new Vector("GET / HTTP/1.1 \r\n" + OK, ParseStatus.BAD_VERSION),
            new Vector("GET /a b HTTP/1.1\r\n" + OK, ParseStatus.BAD_START_LINE),
            new Vector("GET /\t HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET /a#b HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET /a\u0000b HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET a HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET * HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET ftp://a/ HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET https://a/x HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET HTTPS://A:443?q HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET https:// HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET https:///x HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET httpss://a/x HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET http:///x HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET http://b@a/x HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("CONNECT / HTTP/1.1\r\n" + OK, ParseStatus.BAD_TARGET),
            new Vector("GET / HTTP/2.0\r\n" + OK, ParseStatus.BAD_VERSION),
            new Vector("GET / HTTP/1.2\r\n" + OK, ParseStatus.BAD_VERSION),
            new Vector("GET / http/1.1\r\n" + OK, ParseStatus.BAD_START_LINE),
            new Vector("G(T / HTTP/1.1\r\n" + OK, ParseStatus.BAD_START_LINE),
            new Vector(" GET / HTTP/1.1\r\n" + OK, ParseStatus.BAD_START_LINE),
            // line ends
            new Vector("GET / HTTP/1.1\nHost: a\n\n", ParseStatus.BAD_LINE_END),
            new Vector("GET / HTTP/1.1\r\nHost: a\n\r\n", ParseStatus.BAD_LINE_END),
            new Vector("GET / HTTP/1.1\r\nHost: a\r\n\n", ParseStatus.BAD_LINE_END),
            new Vector("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", ParseStatus.BAD_FIELD_VALUE),
            new Vector("GET / HTTP/1.1\r\nX: a\rY: b\r\n" + OK, ParseStatus.BAD_FIELD_VALUE),
            // fields
            new Vector("GET / HTTP/1.1\r\nX : b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX\t: b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\n: b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX\u0000: b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX\u000b: b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX\u00e4: b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX: a\r\n b\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\n Host: a\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("GET / HTTP/1.1\r\nX: a\u0000b\r\n" + OK, ParseStatus.BAD_FIELD_VALUE),
            new Vector("GET / HTTP/1.1\r\nX: a\u007fb\r\n" + OK, ParseStatus.BAD_FIELD_VALUE),
            new Vector("GET / HTTP/1.1\r\nX: a\tb\u00e4\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET / HTTP/1.1\r\nX:\r\n" + OK, ParseStatus.COMPLETE),
            // host
            new Vector("GET / HTTP/1.1\r\n\r\n", ParseStatus.BAD_HOST),
            new Vector("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ParseStatus.BAD_HOST),
            new Vector("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", ParseStatus.BAD_HOST),
            new Vector("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", ParseStatus.BAD_HOST),
            new Vector("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", ParseStatus.BAD_HOST),
            new Vector("GET http://b/ HTTP/1.1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET http://b/ HTTP/1.1\r\nHost: c\r\n" + OK, ParseStatus.BAD_HOST),
            new Vector("CONNECT b:1 HTTP/1.1\r\n" + OK, ParseStatus.BAD_HOST),
            new Vector("GET / HTTP/1.1\r\nHost:\r\n\r\n", ParseStatus.COMPLETE),
            // length
            new Vector("POST / HTTP/1.1\r\nContent-Length: 5\r\n" + OK, ParseStatus.COMPLETE),
            new Vector(
                    "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n" + OK,
                    ParseStatus.BAD_CONTENT_LENGTH),
            new Vector(
                    "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n" + OK,
                    ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: +5\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: -5\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: 0x5\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: 5 5\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: 05\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length:\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector(
                    "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n" + OK, ParseStatus.BAD_CONTENT_LENGTH),
            new Vector("POST / HTTP/1.1\r\nContent-Length: 5\u000b\r\n" + OK, ParseStatus.BAD_FIELD_VALUE),
            // transfer encoding
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("POST / HTTP/1.1\r\ntRANSFER-eNCODING: \t CHUNKED \r\n" + OK, ParseStatus.COMPLETE),
            new Vector(
                    "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + OK,
                    ParseStatus.BOTH_FRAMINGS),
            new Vector(
                    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n" + OK,
                    ParseStatus.BOTH_FRAMINGS),
            new Vector(
                    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + OK,
                    ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector(
                    "POST / HTTP/1.1\r\nTransfer-Encoding: identity, chunked\r\n" + OK,
                    ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, x\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding: \"chunked\"\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\u000b\r\n" + OK, ParseStatus.BAD_FIELD_VALUE),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n" + OK, ParseStatus.BAD_FIELD_NAME),
            new Vector("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            new Vector("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + OK, ParseStatus.BAD_TRANSFER_ENCODING),
            // connection, expectation, bodies
            new Vector("GET / HTTP/1.1\r\nConnection: close, X-a\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("GET / HTTP/1.1\r\nConnection: content-length\r\n" + OK, ParseStatus.BAD_CONNECTION),
            new Vector("GET / HTTP/1.1\r\nConnection: close, HOST\r\n" + OK, ParseStatus.BAD_CONNECTION),
            new Vector("GET / HTTP/1.1\r\nConnection: transfer-encoding\r\n" + OK, ParseStatus.BAD_CONNECTION),
            new Vector("GET / HTTP/1.1\r\nConnection: a b\r\n" + OK, ParseStatus.BAD_CONNECTION),
            new Vector("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n" + OK, ParseStatus.COMPLETE),
            new Vector("POST / HTTP/1.1\r\nExpect: y 100-continue\r\n" + OK, ParseStatus.BAD_EXPECT),
            new Vector("TRACE / HTTP/1.1\r\nContent-Length: 1\r\n" + OK, ParseStatus.BODY_NOT_ALLOWED),
            new Vector(
                    "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n" + OK,
                    ParseStatus.COMPLETE),
            new Vector("GET / HTTP/1.1\r\nConnection: " + "a,".repeat(600) + "\r\n" + OK, ParseStatus.BAD_CONNECTION),
            new Vector("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\n", ParseStatus.BODY_NOT_ALLOWED));

    private static ParseStatus parse(RequestHead head, String request) {
        ByteBuf in = Unpooled.copiedBuffer(request, StandardCharsets.ISO_8859_1);
        try {
            return head.read(in);
        } finally {
            in.release();
        }
    }

    /** What a parse found, as text, to compare whole results. */
    private static String summary(RequestHead head, ParseStatus status) {
        StringBuilder out = new StringBuilder(status.name());
        if (status == ParseStatus.COMPLETE) {
            out.append(' ')
                    .append(head.method())
                    .append(' ')
                    .append(head.path())
                    .append('?')
                    .append(head.query());
            out.append(' ').append(head.authority()).append(' ').append(head.minorVersion());
            out.append(' ')
                    .append(head.contentLength())
                    .append(head.isChunked())
                    .append(head.keepsAlive());
            for (int i = 0; i < head.fieldCount(); i++) {
                out.append('\n').append(head.text(head.nameStart(i), head.nameEnd(i)));
                out.append('=').append(head.text(head.valueStart(i), head.valueEnd(i)));
            }
        }
        return out.toString();
    }

    private static String split(String request, List<Integer> cuts) {
        RequestHead head = new RequestHead();
        byte[] bytes = request.getBytes(StandardCharsets.ISO_8859_1);
        int from = 0;
        List<Integer> ends = new ArrayList<>(cuts);
        ends.add(bytes.length);
        ParseStatus status = ParseStatus.NEED_MORE;
        int left = 0;
        for (int end : ends) {
            ByteBuf in = Unpooled.wrappedBuffer(bytes, from, end - from);
            if (status == ParseStatus.NEED_MORE) {
                status = head.read(in);
            }
            left += in.readableBytes();
            from = end;
            in.release();
        }
        return summary(head, status) + (status == ParseStatus.COMPLETE ? " rest " + left : "");
    }

    @Test
    void acceptsAndRefuses() {
        for (Vector vector : VECTORS) {
            assertEquals(vector.expected, parse(new RequestHead(), vector.request), vector.request);
        }
    }

    @Test
    void splittingAnywhereGivesTheSameResult() {
        for (Vector vector : VECTORS) {
            String request = vector.request + "rest";
            String whole = split(request, List.of());
            for (int i = 1; i < request.length(); i++) {
                assertEquals(whole, split(request, List.of(i)), vector.request + " split at " + i);
            }
            List<Integer> everywhere = new ArrayList<>();
            for (int i = 1; i < request.length(); i++) {
                everywhere.add(i);
            }
            assertEquals(whole, split(request, everywhere), vector.request);
        }
    }

    /** Changes vectors at random places; whatever comes out, splitting must not change it, and no exception may escape. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void seededFuzz(long seed) {
        Random random = new Random(seed);
        String alphabet = "\r\n\t \u0000:;,/?#aAzZ09\u00ff\u007f";
        for (int round = 0; round < 5_000; round++) {
            StringBuilder request = new StringBuilder(VECTORS.get(random.nextInt(VECTORS.size())).request);
            for (int change = random.nextInt(4); change >= 0; change--) {
                int at = random.nextInt(request.length());
                char c = alphabet.charAt(random.nextInt(alphabet.length()));
                switch (random.nextInt(3)) {
                    case 0 -> request.setCharAt(at, c);
                    case 1 -> request.insert(at, c);
                    default -> request.deleteCharAt(at);
                }
                if (request.isEmpty()) {
                    request.append('G');
                }
            }
            String text = request.toString();
            List<Integer> cuts = new ArrayList<>();
            for (int i = 1; i < text.length(); i++) {
                if (random.nextInt(6) == 0) {
                    cuts.add(i);
                }
            }
            assertEquals(split(text, List.of()), split(text, cuts), "seed " + seed + ": " + text);
        }
    }

    @Test
    void limits() {
        assertEquals(
                ParseStatus.LINE_TOO_LONG,
                parse(new RequestHead(), "GET /" + "a".repeat(MessageHead.MAX_REQUEST_LINE) + " HTTP/1.1\r\n" + OK));
        assertEquals(
                ParseStatus.HEAD_TOO_LARGE,
                parse(new RequestHead(), "GET / HTTP/1.1\r\nX: " + "a".repeat(MessageHead.MAX_HEAD) + "\r\n" + OK));
        assertEquals(
                ParseStatus.TOO_MANY_FIELDS,
                parse(new RequestHead(), "GET / HTTP/1.1\r\n" + "X: a\r\n".repeat(1_000) + OK));
        assertEquals(
                ParseStatus.COMPLETE, parse(new RequestHead(), "GET / HTTP/1.1\r\n" + "X: a\r\n".repeat(999) + OK));
        assertEquals(
                ParseStatus.LINE_TOO_LONG,
                parse(new RequestHead(), "GET /" + "a".repeat(MessageHead.MAX_PATH) + " HTTP/1.1\r\n" + OK));
        assertEquals(
                ParseStatus.COMPLETE, parse(new RequestHead(), "GET /?" + "a".repeat(50_000) + " HTTP/1.1\r\n" + OK));
        // Without an end the limit still holds.
        assertEquals(ParseStatus.LINE_TOO_LONG, parse(new RequestHead(), "a".repeat(MessageHead.MAX_REQUEST_LINE + 1)));
    }

    /** A shortcut past {@link PathNormalizer}: it must never say yes where that would change the path. */
    @Test
    void plainPathsNeedNoNormalization() {
        Random random = new Random(11);
        String alphabet = "/.%25eE61\\\\aZ;?";
        int plain = 0;
        for (int i = 0; i < 100_000; i++) {
            StringBuilder target = new StringBuilder("/");
            for (int n = random.nextInt(9); n > 0; n--) {
                target.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            RequestHead head = new RequestHead();
            assertEquals(ParseStatus.COMPLETE, parse(head, "GET " + target + " HTTP/1.1\r\n" + OK));
            if (head.isPathPlain()) {
                plain++;
                assertEquals(head.path(), PathNormalizer.normalize(head.path()), target.toString());
            }
        }
        assertTrue(plain > 10_000, "plain: " + plain);
        RequestHead head = new RequestHead();
        parse(head, "GET /a.b/c..d/?q=/../%41 HTTP/1.1\r\n" + OK);
        assertTrue(head.isPathPlain());
    }

    @Test
    void upgradesAndNominations() {
        RequestHead head = new RequestHead();
        parse(
                head,
                "GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade, x-secret\r\nUpgrade: websocket\r\nX-Secret: 1\r\n"
                        + OK);
        assertTrue(head.isUpgrade());
        assertTrue(head.isNominated(2));
        assertFalse(head.isNominated(3));
        head.reset();
        parse(
                head,
                "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
                        + OK);
        assertFalse(head.isUpgrade());
        for (String ignored : List.of(
                "GET / HTTP/1.1\r\nUpgrade: websocket\r\n",
                "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: TLS/1.2\r\n",
                "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: tls/1.3\r\nContent-Length: 1\r\n",
                "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n")) {
            head.reset();
            assertEquals(ParseStatus.COMPLETE, parse(head, ignored + OK));
            assertFalse(head.isUpgrade(), ignored);
        }
    }

    /** RFC 9112 section 3.2.2. */
    @Test
    void theAuthorityOfAnAbsoluteTargetTakesThePlaceOfHost() {
        RequestHead head = new RequestHead();
        assertEquals(
                ParseStatus.COMPLETE,
                parse(head, "GET http://b:81/x?y HTTP/1.1\r\nA: 1\r\nHost: example.org\r\nC: 2\r\n\r\n"));
        assertEquals("b:81", head.authority());
        assertEquals("b:81", head.header("host"));
        assertEquals("2", head.header("c"));
        assertEquals("/x", head.path());
    }

    @Test
    void headersAreFoundAndJoined() {
        RequestHead head = new RequestHead();
        parse(head, "GET /a?b=c HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nX-Request-Id: r\r\n" + OK);
        assertEquals("1,2", head.header("x-a"));
        assertEquals("r", head.value(FieldName.X_REQUEST_ID));
        assertEquals("b=c", head.query());
        assertEquals("/a", head.path());
        assertEquals("a", head.header("host"));
    }

    /** Thousands of connections may wait for a request that never comes. */
    @Test
    void aHeadThatHasNotBegunIsSmall() {
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        List<RequestHead> waiting = new ArrayList<>(1_000);
        long bytes = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 1_000; i++) {
            waiting.add(new RequestHead());
        }
        bytes = (threads.getCurrentThreadAllocatedBytes() - bytes) / waiting.size();
        assertTrue(bytes < 300, bytes + " bytes each");
        assertTrue(waiting.getFirst().isEmpty());
    }

    @Test
    void aPathThatIsAskedForAgainIsNotMadeAgain() {
        RequestHead head = new RequestHead();
        String first = "";
        for (String path : List.of("/a/b", "/a/b", "/a/c", "/a", "/a/bc", "/\u00e4")) {
            head.reset();
            String text = "GET " + path + "?q HTTP/1.1\r\nHost: a\r\n\r\n";
            head.read(Unpooled.wrappedBuffer(text.getBytes(StandardCharsets.ISO_8859_1)));
            assertEquals(path, head.path());
            if (path.equals("/a/b")) {
                if (!first.isEmpty()) {
                    assertSame(first, head.path());
                }
                first = head.path();
            }
        }
    }
}
