package dev.tulle.common;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;

/** Heads sent to the ports of readiness and metrics and to the admin pages: a page's path, or none. */
public final class PageRequestFuzz {
    private PageRequestFuzz() {}

    /** One head; the empty line is the connection's to find. */
    public static void fuzzerTestOneInput(byte[] data) {
        String head = new String(data, StandardCharsets.ISO_8859_1) + "\r\n\r\n";
        Cost.within(data.length, 100_000, 200, () -> {
            PageRequest request = PageRequest.read(head);
            if (request != null) {
                Cost.must(request.path().startsWith("/"), "no path: " + request);
                Cost.must(request.path().indexOf('?') < 0, "a query: " + request);
                Cost.must((request.method() + request.path()).indexOf('\r') < 0, "more than a line: " + request);
            }
        });
    }

    /** Requests of all kinds. */
    public static List<byte[]> seeds() {
        return Stream.of(
                        "GET /metrics?a=b HTTP/1.1\r\nHost: a\r\nConnection: close",
                        "HEAD /ready HTTP/1.0",
                        "POST /drain HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked")
                .map(text -> text.getBytes(StandardCharsets.US_ASCII))
                .toList();
    }
}
