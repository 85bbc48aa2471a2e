package dev.tulle.agent.datapath;

import dev.tulle.kernel.TcpDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The socket options by which the proxy speaks with kernel HTTP; the agent plays the proxy in its self-test. Their fields
 * are those of {@code bpf/lib/http_types.h}, which a test compares: the kernel object has no types for all of them.
 */
final class ProxyOption {
    static final ProxyOption GIVE = new ProxyOption("GIVE", 1, "consumed 8, loop 4, after 4");
    static final ProxyOption CLIENT = new ProxyOption(
            "CLIENT",
            2,
            "passed 8, lease 8, since_ns 8, owned 4, state 4, gives 4, head_length 4, body_length 4, taken 4,"
                    + " head 1024, left 8");
    static final ProxyOption OFFER = new ProxyOption("OFFER", 3, "cookie 8, loop 4, pad 4");
    static final ProxyOption TAKE = new ProxyOption("TAKE", 4, "states 4, pad 4");
    static final ProxyOption LEASE = new ProxyOption(
            "LEASE",
            5,
            "cookie 8, client 8, since_ns 8, remaining 8, state 4, taken 4, timeout_ms 4, code 2, client_port 2,"
                    + " client_addr 16");

    static final List<ProxyOption> ALL = List.of(GIVE, CLIENT, OFFER, TAKE, LEASE);

    private static final int LEVEL = 0x7475;

    private final String name;
    private final int number;
    private final Map<String, Integer> offsets = new LinkedHashMap<>();
    private final Map<String, Integer> sizes = new LinkedHashMap<>();
    private final int size;

    private ProxyOption(String name, int number, String fields) {
        this.name = name;
        this.number = number;
        int offset = 0;
        for (String field : fields.split(", ")) {
            int space = field.indexOf(' ');
            int length = Integer.parseInt(field.substring(space + 1));
            offsets.put(field.substring(0, space), offset);
            sizes.put(field.substring(0, space), length);
            offset += length;
        }
        this.size = offset;
    }

    /** As the header calls it. */
    String name() {
        return name;
    }

    /** The fields and their bytes, in order. */
    Map<String, Integer> sizes() {
        return sizes;
    }

    /** Sets one number, the others are zero. */
    void set(TcpDescriptor socket, String field, long value) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
        if (sizes.getOrDefault(field, 0) == Long.BYTES) {
            bytes.putLong(offset(field), value);
        } else {
            bytes.putInt(offset(field), (int) value);
        }
        socket.setOption(LEVEL, number, bytes.array());
    }

    /** Reads the option of a socket. */
    Answer read(TcpDescriptor socket) throws IOException {
        return new Answer(
                this, ByteBuffer.wrap(socket.option(LEVEL, number, size)).order(ByteOrder.nativeOrder()));
    }

    private int offset(String field) {
        Integer offset = offsets.get(field);
        if (offset == null) {
            throw new IllegalArgumentException(name + " has no field " + field);
        }
        return offset;
    }

    /** What was read. */
    record Answer(ProxyOption option, ByteBuffer bytes) {
        long get(String field) {
            int at = option.offset(field);
            return option.sizes.getOrDefault(field, 0) == Long.BYTES ? bytes.getLong(at) : bytes.getInt(at);
        }

        /** So many bytes of a field, as text. */
        String text(String field, int length) {
            byte[] text = new byte[length];
            bytes.get(option.offset(field), text);
            return new String(text, StandardCharsets.US_ASCII);
        }
    }
}
