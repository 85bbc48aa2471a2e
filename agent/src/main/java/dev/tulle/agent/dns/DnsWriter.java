package dev.tulle.agent.dns;

import java.io.ByteArrayOutputStream;

/** Builds a message, big-endian. Not thread-safe. */
final class DnsWriter {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(512);

    void u8(int value) {
        out.write(value);
    }

    void u16(int value) {
        out.write(value >>> 8);
        out.write(value);
    }

    void u32(long value) {
        u16((int) (value >>> 16));
        u16((int) value);
    }

    void bytes(byte[] bytes) {
        out.writeBytes(bytes);
    }

    byte[] toBytes() {
        return out.toByteArray();
    }
}
