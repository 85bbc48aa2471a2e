package dev.tulle.xds;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import java.io.IOException;

/**
 * What one request may hold, checked on its bytes before an object is made of it: a small message can otherwise name so
 * much that it fills the heap. Stateless.
 */
final class RequestLimits {
    /** Bytes of a request: the names that a full stream subscribes to, at a hundred bytes each. */
    static final int MAX_BYTES = 2 << 20;

    /** Fields of a request: names that it adds, that it takes back, and those with their versions. */
    static final int MAX_FIELDS = 2 * StreamLimits.NAMES + 16;

    /** Bytes of one field: a resource name, why the client refuses. */
    static final int MAX_FIELD_BYTES = 16 << 10;

    /** Bytes of who the client is: an Envoy lists all its extensions there, some 50 KiB in version 1.40. */
    static final int MAX_NODE_BYTES = 256 << 10;

    /** The node is field 1 of a delta request and field 2 of the other; only the first field of its number may be so large. */
    private static final int MAX_NODE_FIELD = 2;

    private RequestLimits() {}

    /**
     * Fails when a message of at most {@link #MAX_BYTES} is beyond another limit.
     *
     * @throws StreamLimits.OverLimitException naming the limit
     * @throws IOException when it is no message
     */
    static void check(byte[] message) throws IOException {
        CodedInputStream in = CodedInputStream.newInstance(message);
        int fields = 0;
        boolean node = false;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            fields++;
            if (fields > MAX_FIELDS) {
                throw beyond("more than " + MAX_FIELDS + " fields");
            }
            int start = in.getTotalBytesRead();
            if (WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_START_GROUP || !in.skipField(tag)) {
                throw new IOException("a group, which no request has");
            }
            int size = in.getTotalBytesRead() - start;
            if (size > MAX_FIELD_BYTES) {
                int field = WireFormat.getTagFieldNumber(tag);
                int most = field <= MAX_NODE_FIELD && !node ? MAX_NODE_BYTES : MAX_FIELD_BYTES;
                node = true;
                if (size > most) {
                    throw beyond("field " + field + " has more than " + most + " bytes");
                }
            }
        }
    }

    private static StreamLimits.OverLimitException beyond(String limit) {
        return new StreamLimits.OverLimitException("a request is too large: " + limit);
    }
}
