package dev.tulle.proxy.http2;

import dev.tulle.it.fuzz.Cost;
import dev.tulle.proxy.http1.FieldName;
import dev.tulle.proxy.http1.MessageHead;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.loop.ByteSink;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Fields of HTTP/2 as heads: what is taken has the method, the target, the authority and the fields that were sent, one for
 * one, and none that was not; so nothing that a client writes becomes a line of its own behind a conversion. The input is
 * names and values, each with a 0 behind it; the first byte says what is read and whether a body follows.
 */
public final class ReceivedHeadsFuzz {
    private static final AsciiString PROTOCOL = AsciiString.cached(":protocol");
    private static final AsciiString COOKIE = AsciiString.cached("cookie");

    private ReceivedHeadsFuzz() {}

    /** One head, and the same as trailers. */
    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length > 0) {
            Cost.within(data.length, 1_000_000, 4_000, () -> check(data));
        }
    }

    private static void check(byte[] data) {
        boolean ends = (data[0] & 2) == 0;
        Http2Headers fields = fields(data);
        if ((data[0] & 1) == 0) {
            RequestHead head = new RequestHead();
            ParseStatus status = ReceivedHeads.request(new ByteSink(), fields, ends, head);
            Cost.must(status == ParseStatus.COMPLETE || status.isError(), "neither taken nor refused");
            if (status == ParseStatus.COMPLETE) {
                CharSequence protocol = fields.get(PROTOCOL);
                same(protocol == null ? head.method() : "CONNECT", fields.method());
                Cost.must((protocol != null) == head.isExtendedConnect(), "another protocol, or none");
                if (protocol != null) {
                    same(head.method(), "GET");
                    same(head.upgrade(), protocol);
                }
                boolean connects = head.method().equals("CONNECT");
                CharSequence host = fields.authority() == null ? fields.get("host") : fields.authority();
                same(head.target(), connects ? host : fields.path());
                Cost.must(head.isAbsolute() || head.authority().contentEquals(host == null ? "" : host), "authority");
                same(head, fields);
                Cost.must(head.isHttp2(), "its version");
            }
        } else if ((data[0] & 8) != 0) {
            ResponseHead head = new ResponseHead();
            ParseStatus status = ReceivedHeads.switched(new ByteSink(), fields, "websocket", "", head);
            Cost.must(status == ParseStatus.COMPLETE || status.isError(), "neither taken nor refused");
            Cost.must(status.isError() || head.isUpgrade(), "no switch");
        } else {
            ResponseHead head = new ResponseHead();
            ParseStatus status = ReceivedHeads.response(new ByteSink(), fields, ends, (data[0] & 4) == 0, head);
            Cost.must(status == ParseStatus.COMPLETE || status.isError(), "neither taken nor refused");
            if (status == ParseStatus.COMPLETE) {
                same(Integer.toString(head.code()), fields.status());
                same(head, fields);
            }
        }
        byte[] lines = ReceivedHeads.trailers(fields);
        if (lines != null && lines.length > 0) {
            String text = new String(lines, StandardCharsets.ISO_8859_1);
            Cost.must(text.endsWith("\r\n"), "a line without an end");
            Cost.must(text.split("\r\n", -1).length - 1 <= fields.size(), "more trailers than fields");
        }
    }

    private static void same(String read, CharSequence sent) {
        Cost.must(sent != null && read.contentEquals(sent), "read " + read + ", sent " + sent);
    }

    /** Each field that was sent is there, in order, and nothing else but what says how long the message is. */
    private static void same(MessageHead head, Http2Headers fields) {
        List<String> sent = new ArrayList<>();
        for (Map.Entry<CharSequence, CharSequence> field : fields) {
            String name = field.getKey().toString();
            if (!name.startsWith(":") && !name.equals("host") && !name.equals("cookie")) {
                sent.add(name + "=" + field.getValue().toString().strip());
            }
        }
        if (head instanceof RequestHead && fields.contains(PROTOCOL)) {
            sent.add("connection=upgrade");
            sent.add("upgrade=" + fields.get(PROTOCOL));
        }
        List<String> read = new ArrayList<>();
        boolean cookie = false;
        for (int i = 0; i < head.fieldCount(); i++) {
            String name = head.text(head.nameStart(i), head.nameEnd(i));
            String value = head.text(head.valueStart(i), head.valueEnd(i)).strip();
            boolean length = head.nameOf(i) == FieldName.TRANSFER_ENCODING
                    || (name.equals("content-length") && value.equals("0") && fields.get("content-length") == null);
            boolean host = i == 0 && head instanceof RequestHead;
            cookie |= name.equals("cookie");
            if (!length && !host && !name.equals("cookie")) {
                read.add(name + "=" + value);
            }
        }
        Cost.must(read.equals(sent), "read " + read + ", sent " + sent);
        Cost.must(!cookie || fields.contains(COOKIE), "a cookie from nowhere");
    }

    private static Http2Headers fields(byte[] data) {
        Http2Headers fields = new DefaultHttp2Headers(false);
        int from = 1;
        AsciiString name = null;
        for (int i = 1; i < data.length; i++) {
            if (data[i] == 0) {
                AsciiString text = new AsciiString(data, from, i - from, true);
                if (name == null) {
                    name = text;
                } else {
                    fields.add(name, text);
                    name = null;
                }
                from = i + 1;
            }
        }
        return fields;
    }

    /** Plain heads, and those that would be two messages behind a conversion. */
    public static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (String text : List.of(
                "0:method|GET|:scheme|http|:path|/|:authority|a|",
                "2:method|POST|:scheme|http|:path|/a?b|:authority|a:80|content-type|application/grpc|te|trailers|",
                "0:method|GET|:path|/|host|a|cookie|b=c|cookie|d=e|x-y|z|",
                "0:method|CONNECT|:authority|a:443|",
                "2:method|CONNECT|:protocol|websocket|:scheme|http|:path|/|:authority|a|sec-websocket-version|13|",
                "2:method|CONNECT|:protocol|a\r\nb: c|:scheme|http|:path|/|:authority|a|",
                "9:status|200|sec-websocket-protocol|chat|",
                "0:method|GET|:path|/ HTTP/1.1\r\nx: y|:authority|a|",
                "2:method|POST|:path|/|:authority|a|content-length|3|x|y\r\nz: 1|",
                "2:method|POST|:path|/|:authority|a|transfer-encoding|chunked|",
                "1:status|200|server|x|",
                "3:status|200|content-length|5|grpc-status|0|grpc-message|a|",
                "5:status|304|etag|b|")) {
            byte[] bytes = text.replace('|', '\0').getBytes(StandardCharsets.ISO_8859_1);
            bytes[0] = (byte) (bytes[0] - '0');
            seeds.add(bytes);
        }
        return seeds;
    }
}
