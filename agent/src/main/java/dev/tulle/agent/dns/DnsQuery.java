package dev.tulle.agent.dns;

import java.util.Arrays;

/**
 * A question that somebody asked.
 *
 * @param id the message's number
 * @param flags the header's flags as they came
 * @param name the name asked for
 * @param type the type asked for
 * @param qclass the class asked for, 1 for the Internet
 * @param questionBytes the question as it came, so that answers repeat its spelling
 * @param udpSize the largest answer over UDP that the asker takes, in bytes
 * @param edns true when it sent EDNS options, so that answers carry them too
 */
record DnsQuery(int id, int flags, DnsName name, int type, int qclass, Bytes questionBytes, int udpSize, boolean edns) {
    static final int TYPE_A = 1;
    static final int TYPE_SOA = 6;
    static final int TYPE_PTR = 12;
    static final int TYPE_AAAA = 28;
    static final int TYPE_OPT = 41;
    static final int TYPE_ANY = 255;
    static final int CLASS_IN = 1;

    static final int RCODE_OK = 0;
    static final int RCODE_FORMAT = 1;
    static final int RCODE_SERVER = 2;
    static final int RCODE_NO_NAME = 3;
    static final int RCODE_NOT_IMPLEMENTED = 4;

    static final int FLAG_RESPONSE = 0x8000;
    static final int FLAG_AUTHORITATIVE = 0x0400;
    static final int FLAG_TRUNCATED = 0x0200;
    static final int FLAG_RECURSION_WANTED = 0x0100;
    static final int FLAG_RECURSION = 0x0080;

    /** The size without EDNS. */
    static final int UDP_SIZE_DEFAULT = 512;

    /** The largest size that is offered and believed: what passes every link unfragmented. */
    static final int UDP_SIZE_MAX = 1232;

    static final int HEADER = 12;

    /** Immutable bytes with value equality. */
    static final class Bytes {
        private final byte[] bytes;

        Bytes(byte[] bytes) {
            this.bytes = bytes.clone();
        }

        byte[] copy() {
            return bytes.clone();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Bytes that && Arrays.equals(bytes, that.bytes);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(bytes);
        }
    }

    /** The operation: 0 for a query. */
    int opcode() {
        return (flags >>> 11) & 15;
    }

    /**
     * Reads a question.
     *
     * @throws DnsFormatException when it is none; {@link #idOf} may still find a number to answer to
     */
    static DnsQuery parse(byte[] message) throws DnsFormatException {
        DnsReader in = new DnsReader(message);
        int id = in.u16();
        int flags = in.u16();
        int questions = in.u16();
        int answers = in.u16();
        int authorities = in.u16();
        int additional = in.u16();
        if ((flags & FLAG_RESPONSE) != 0) {
            throw new DnsFormatException("an answer where a question is expected");
        }
        if (questions != 1) {
            throw new DnsFormatException(questions + " questions, expected 1");
        }
        int start = in.position();
        DnsName name = in.name();
        int type = in.u16();
        int qclass = in.u16();
        byte[] question = Arrays.copyOfRange(message, start, in.position());
        int udpSize = UDP_SIZE_DEFAULT;
        boolean edns = false;
        for (int i = 0; i < answers + authorities + additional; i++) {
            in.name();
            int recordType = in.u16();
            int recordClass = in.u16();
            in.u32();
            in.skip(in.u16());
            if (recordType == TYPE_OPT && i >= answers + authorities) {
                if (edns) {
                    throw new DnsFormatException("two OPT records");
                }
                edns = true;
                udpSize = Math.clamp(recordClass, UDP_SIZE_DEFAULT, UDP_SIZE_MAX);
            }
        }
        if (in.left() > 0) {
            throw new DnsFormatException(in.left() + " bytes after the end of the message");
        }
        return new DnsQuery(id, flags, name, type, qclass, new Bytes(question), udpSize, edns);
    }

    /** The number of a message, 0 when it is too short to have one. */
    static int idOf(byte[] message) {
        return message.length < 2 ? 0 : (message[0] & 255) << 8 | (message[1] & 255);
    }
}
