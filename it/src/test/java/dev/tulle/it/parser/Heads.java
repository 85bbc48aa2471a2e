package dev.tulle.it.parser;

import dev.tulle.it.parser.KernelParser.Head;
import dev.tulle.it.parser.KernelParser.Kind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.random.RandomGenerator;

/** Makes heads: good ones, broken ones, and those by which requests are smuggled. */
final class Heads {
    /** Lines that two readers may understand differently; each goes to every place of a good head. */
    static final List<String> SMUGGLING = List.of(
            "Content-Length: 5",
            "Content-Length: 6",
            "Content-Length: 05",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length: 5, 5",
            "Content-Length: 5,6",
            "Content-Length: 0x5",
            "Content-Length: 5 ",
            "Content-Length:  5",
            "Content-Length:5",
            "Content-Length:\t5",
            "Content-Length: 5\t",
            "Content-Length : 5",
            "Content-Length: ",
            "Content-Length:",
            "Content-Length: 99999999",
            "Content-Length: 4294967301",
            "Content-Length: 18446744073709551621",
            "Content-Length: five",
            "Content-Length\0: 5",
            "Content_Length: 5",
            "content-length: 5",
            "CONTENT-LENGTH: 5",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: Chunked",
            "Transfer-Encoding:chunked",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding:\u000bchunked",
            "Transfer-Encoding: chunked\u000b",
            "Transfer-Encoding\t: chunked",
            "Transfer-Encoding\u000b: chunked",
            " Transfer-Encoding: chunked",
            "\tTransfer-Encoding: chunked",
            "X: y\rTransfer-Encoding: chunked",
            "X: y\nTransfer-Encoding: chunked",
            "X: y\n\nGET /admin HTTP/1.1",
            "Transfer_Encoding: chunked",
            "transfer-encoding: chunked",
            "Transfer-Encoding: ",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Connection: close",
            "Connection: Keep-Alive",
            "Connection: keep-alive",
            "Connection: keep-alive, x-tag",
            "Connection: keep-alive, content-length",
            "Connection: host",
            "Connection: keep-alivE",
            "Connection:keep-alive",
            "Connection: keep-alive ",
            "Connection: upgrade\r\nUpgrade: websocket",
            "Upgrade: h2c",
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABk",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: Basic eA==",
            "Expect: 100-continue",
            "Expect: 100-Continue",
            "Expect: other",
            "TE: trailers",
            "Trailer: content-length",
            "Host: other",
            "host: a",
            "Host: ",
            "Host: a b",
            "Host: a/b",
            "Host: a@b",
            "Host: a,b",
            "Host: [::1]:80",
            " folded",
            "\tfolded",
            ": nameless",
            "nameless",
            "bad name: x",
            "bad(name): x",
            "bad/name: x",
            "x-tag: red",
            "X-Tag: red",
            "x-tag:red",
            "x-tag:  red",
            "x-tag: red ",
            "x-tag: \tred",
            "x-tag:",
            "x-tag: ",
            "x-tag: red\r\nx-tag: blue",
            "x_tag: red",
            "x-tag\u00a0: red",
            "x-tag: r\u00e9d",
            "x-tag: r\u007fd",
            "x-tag: r\0d",
            "x-tag: r\td",
            "x: \u0085",
            "a-name-of-more-than-forty-characters-in-all: x");

    /** First lines of requests, good and not. */
    static final List<String> REQUEST_LINES = List.of(
            "GET / HTTP/1.1",
            "GET /a HTTP/1.1",
            "GET /a?b HTTP/1.1",
            "GET /a?b?c=/../d HTTP/1.1",
            "GET /? HTTP/1.1",
            "GET /a/b/c HTTP/1.1",
            "GET /a//b HTTP/1.1",
            "GET // HTTP/1.1",
            "GET //a HTTP/1.1",
            "GET /a/ HTTP/1.1",
            "GET /a/. HTTP/1.1",
            "GET /a/.. HTTP/1.1",
            "GET /a/../b HTTP/1.1",
            "GET /a/./b HTTP/1.1",
            "GET /.a HTTP/1.1",
            "GET /a.b HTTP/1.1",
            "GET /1234567/.. HTTP/1.1",
            "GET /1234567//a HTTP/1.1",
            "GET /123456/../a HTTP/1.1",
            "GET /a%2fb HTTP/1.1",
            "GET /a%2e%2e/b HTTP/1.1",
            "GET /a;x=y HTTP/1.1",
            "GET /a\\b HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /a?b#c HTTP/1.1",
            "GET /a\u00e9 HTTP/1.1",
            "GET /a?\u00e9 HTTP/1.1",
            "GET /a\tb HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /a HTTP/1.1 HTTP/1.1",
            "GET /a?b HTTP/1.1 HTTP/1.1",
            "GET  /a HTTP/1.1",
            "GET /a  HTTP/1.1",
            "GET /a HTTP/1.1 ",
            " GET /a HTTP/1.1",
            "GET\t/a HTTP/1.1",
            "GET a HTTP/1.1",
            "GET * HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "OPTIONS /a HTTP/1.1",
            "GET http://a/b HTTP/1.1",
            "GET /a HTTP/1.0",
            "GET /a HTTP/1.2",
            "GET /a HTTP/2.0",
            "GET /a HTTP/1.10",
            "GET /a http/1.1",
            "GET /a HTTP/1.1\r",
            "GET /a",
            "GET /a HTTP",
            "get /a HTTP/1.1",
            "HEAD /a HTTP/1.1",
            "POST /a HTTP/1.1",
            "PUT /a HTTP/1.1",
            "DELETE /a HTTP/1.1",
            "PATCH /a HTTP/1.1",
            "TRACE /a HTTP/1.1",
            "CONNECT a:80 HTTP/1.1",
            "PRI * HTTP/2.0",
            "GETT /a HTTP/1.1",
            "PUTS /a HTTP/1.1",
            "OPTIONSX /a HTTP/1.1",
            "\r\nGET /a HTTP/1.1",
            "\r\n\r\nGET /a HTTP/1.1",
            "\nGET /a HTTP/1.1");

    /** First lines of responses, good and not. */
    static final List<String> STATUS_LINES = List.of(
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200 ",
            "HTTP/1.1 200",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 20 OK",
            "HTTP/1.1  200 OK",
            "HTTP/1.1\t200 OK",
            "HTTP/1.0 200 OK",
            "HTTP/2.0 200 OK",
            "HTTP/1.1 200\tOK",
            "HTTP/1.1 200 O\u00e9",
            "HTTP/1.1 200 O\0K",
            "HTTP/1.1 099 OK",
            "HTTP/1.1 000 OK",
            "HTTP/1.1 100 Continue",
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 103 Early Hints",
            "HTTP/1.1 204 No Content",
            "HTTP/1.1 205 Reset Content",
            "HTTP/1.1 304 Not Modified",
            "HTTP/1.1 404 Not Found",
            "HTTP/1.1 503 Service Unavailable",
            "HTTP/1.1 999 Odd",
            "HTTP/1.1 -20 Odd",
            "http/1.1 200 OK",
            "HTTP/1.1200 OK",
            "ICY 200 OK",
            "200 OK",
            "\r\nHTTP/1.1 200 OK");

    private static final List<String> METHODS = KernelParser.METHODS;
    private static final List<String> PATHS =
            List.of("/", "/a", "/a/b", "/api/v1/users", "/static/x.png", "/1234567", "/12345678", "/~u/a_b=c,d");
    private static final List<String> QUERIES = List.of("", "", "", "?", "?q=1", "?a=%2f..;/&b=//", "?x?y");
    private static final List<String> FIELDS = List.of(
            "Accept: */*",
            "User-Agent: curl/8.0",
            "user-agent: wrk",
            "x-tag: red",
            "X-TAG: blue",
            "end-user: jason",
            "x-group: " + "g".repeat(40),
            "x-group: a b, c",
            "Cookie: a=b; c=d",
            "Accept-Encoding: gzip, deflate",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "x:y",
            "e:",
            "Connection: keep-alive",
            "Referer: http://a/b?c#d");

    private final RandomGenerator random;

    Heads(RandomGenerator random) {
        this.random = random;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A request that every reader takes in the same way. */
    Head request() {
        List<String> lines = new ArrayList<>();
        String body = random.nextInt(4) == 0 ? "b".repeat(random.nextInt(300)) : "";
        lines.add("Host: " + pick(List.of("a", "alpha:9080", "A.B-c.default", "127.0.0.1:80")));
        for (int i = random.nextInt(7); i > 0; i--) {
            String field = pick(FIELDS);
            boolean repeated = lines.stream().anyMatch(line -> name(line).equalsIgnoreCase(name(field)));
            if (!repeated) {
                lines.add(field);
            }
        }
        if (!body.isEmpty() || random.nextInt(5) == 0) {
            lines.add("Content-Length: " + body.length());
        }
        shuffle(lines);
        return new Head(
                Kind.REQUEST,
                bytes(pick(METHODS) + " " + pick(PATHS) + pick(QUERIES) + " HTTP/1.1\r\n" + String.join("\r\n", lines)
                        + "\r\n\r\n" + body));
    }

    /** A response whose length is known. */
    Head response() {
        List<String> lines = new ArrayList<>();
        int length = random.nextInt(3) == 0 ? random.nextInt(100_000) : random.nextInt(50);
        lines.add(pick(List.of("Content-Length: ", "content-length: ")) + length);
        for (int i = random.nextInt(7); i > 0; i--) {
            lines.add(pick(List.of(
                    "Server: nginx",
                    "Date: Sat, 21 Nov 2026 07:00:00 GMT",
                    "Set-Cookie: a=b",
                    "Keep-Alive: timeout=5",
                    "x:y")));
        }
        shuffle(lines);
        Kind kind = random.nextInt(5) == 0 ? Kind.RESPONSE_TO_HEAD : Kind.RESPONSE;
        String status = pick(List.of("200 OK", "201 Created", "404 Not Found", "500 Oh", "304 Same", "200"));
        return new Head(
                kind,
                bytes("HTTP/1.1 " + status + "\r\n" + String.join("\r\n", lines) + "\r\n\r\n"
                        + "b".repeat(random.nextInt(20))));
    }

    /** A head with some bytes changed, removed or inserted. */
    Head broken(Head good) {
        byte[] bytes = good.bytes();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            int at = random.nextInt(bytes.length);
            int kind = random.nextInt(4);
            byte[] odd =
                    bytes(pick(List.of("\r", "\n", " ", ":", "\0", "\t", "/", "%", "\r\n", "\u00ff", "?", "0", "a")));
            byte[] end = Arrays.copyOfRange(bytes, kind == 0 ? at : at + 1, bytes.length);
            bytes = kind == 1 ? join(Arrays.copyOf(bytes, at), end) : join(join(Arrays.copyOf(bytes, at), odd), end);
        }
        return new Head(good.kind(), bytes);
    }

    /** Every single byte of a head replaced by every other, removed, and every byte inserted everywhere. */
    static List<Head> neighbours(Head good) {
        List<Head> all = new ArrayList<>();
        byte[] bytes = good.bytes();
        for (int at = 0; at < bytes.length; at++) {
            byte[] before = Arrays.copyOf(bytes, at);
            byte[] after = Arrays.copyOfRange(bytes, at + 1, bytes.length);
            all.add(new Head(good.kind(), join(before, after)));
            for (int value = 0; value < 256; value++) {
                byte[] one = {(byte) value};
                all.add(new Head(good.kind(), join(join(before, one), after)));
                all.add(new Head(good.kind(), join(join(before, one), Arrays.copyOfRange(bytes, at, bytes.length))));
            }
        }
        return all;
    }

    /** The beginnings of a head, and the head with more behind it. */
    static List<Head> cuts(Head good) {
        List<Head> all = new ArrayList<>();
        for (int length = 0; length < good.bytes().length; length++) {
            all.add(new Head(good.kind(), Arrays.copyOf(good.bytes(), length)));
        }
        for (String more : List.of("x", "\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n")) {
            all.add(new Head(good.kind(), join(good.bytes(), bytes(more))));
        }
        return all;
    }

    static byte[] join(byte[] a, byte[] b) {
        byte[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    private static String name(String line) {
        return line.substring(0, line.indexOf(':'));
    }

    private String pick(List<String> from) {
        return from.get(random.nextInt(from.size()));
    }

    private void shuffle(List<String> lines) {
        for (int i = lines.size() - 1; i > 0; i--) {
            Collections.swap(lines, i, random.nextInt(i + 1));
        }
    }
}
