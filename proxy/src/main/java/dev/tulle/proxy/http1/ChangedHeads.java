package dev.tulle.proxy.http1;

import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.Unpooled;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Heads of messages whose bodies are changed on the way, each in memory of its own: what it came with still frames what is
 * received. The length of such a body is not known.
 */
public final class ChangedHeads {
    private ChangedHeads() {}

    /**
     * A request's with other fields, read as strictly as if it had come so.
     *
     * @param without names in lower case of fields that are left out
     * @param lines fields that are added, each with its end
     * @return null when it would be too large
     */
    public static @Nullable RequestHead request(RequestHead head, List<String> without, String lines) {
        byte[] b = head.bytes();
        ByteSink sink = new ByteSink();
        sink.put(b, head.methodStart(), head.methodEnd()).put(' ').put(head.target());
        sink.put(" HTTP/1.1\r\n");
        if (head.find(FieldName.HOST) < 0) {
            sink.put("host: \r\n");
        }
        for (int i = 0; i < head.fieldCount(); i++) {
            int field = i;
            int name = head.nameOf(i);
            if (name != FieldName.CONTENT_LENGTH
                    && name != FieldName.TRANSFER_ENCODING
                    && without.stream().noneMatch(one -> head.isNamed(field, one))) {
                sink.put(b, head.nameStart(i), head.nameEnd(i)).put(": ");
                sink.put(b, head.valueStart(i), head.valueEnd(i)).put("\r\n");
            }
        }
        if (head.hasBody()) {
            sink.put("transfer-encoding: chunked\r\n");
        }
        sink.put(lines).put("\r\n");
        RequestHead made = new RequestHead();
        ParseStatus status = made.read(Unpooled.wrappedBuffer(sink.array(), 0, sink.length()));
        if (head.isHttp2()) {
            made.cameAsHttp2();
        }
        return status == ParseStatus.COMPLETE ? made : null;
    }

    /** A response's; what else is different of its fields is changed as it is written. */
    public static ResponseHead response(ResponseHead head) {
        ResponseHead made = new ResponseHead();
        made.read(Unpooled.wrappedBuffer(head.bytes(), 0, head.length()));
        made.lengthIsUnknown();
        return made;
    }
}
