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
 * @param options what it said about EDNS
 */
record DnsQuery(
        int id, int flags, DnsName name, int type, int qclass, Bytes questionBytes, int udpSize, Options options) {
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
    static final int RCODE_REFUSED = 5;

    static final int FLAG_RESPONSE = 0x8000;
    static final int FLAG_AUTHORITATIVE = 0x0400;
    static final int FLAG_TRUNCATED = 0x0200;
    static final int FLAG_RECURSION_WANTED = 0x0100;
    static final int FLAG_RECURSION = 0x0080;
    static final int FLAG_AUTHENTIC = 0x0020;
    static final int FLAG_CHECKING_DISABLED = 0x0010;

    /** The flag in an OPT record's time to live that asks for signatures. */
    static final int OPT_SIGNATURES = 0x8000;

    /** The size without EDNS. */
    static final int UDP_SIZE_DEFAULT = 512;

    /** The largest size that is offered and believed: what passes every link unfragmented. */
    static final int UDP_SIZE_MAX = 1232;

    /** The longest message that can be a question, in bytes; a name and its options need far less. */
    static final int MESSAGE_MAX = 4096;

    /** Records that a question may carry: an OPT, and those of rare kinds of questions. */
    private static final int RECORDS_MAX = 8;

    static final int HEADER = 12;

    /** EDNS: whether an answer may carry it, and whether signatures are asked for. */
    enum Options {
        NONE,
        PLAIN,
        SIGNATURES
    }

    /** Immutable bytes with value equality. */
    static final class Bytes {
        private final byte[] bytes;

        /** Bytes that nobody writes to any more. */
        Bytes(byte[] bytes) {
            this.bytes = bytes;
        }

        /** The bytes themselves, to be read only. */
        byte[] raw() {
            return bytes;
        }

        byte[] copy() {
            return bytes.clone();
        }

        int length() {
            return bytes.length;
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

    /** Everything of a question that its answer depends on, so that equal ones may share an answer. */
    record Key(DnsName name, int type, int qclass, int flags, Options options) {}

    /** What the answer depends on. */
    Key key() {
        return new Key(name, type, qclass, forwardedFlags(), options);
    }

    /** The operation: 0 for a query. */
    int opcode() {
        return (flags >>> 11) & 15;
    }

    /** True when answers may carry EDNS options. */
    boolean edns() {
        return options != Options.NONE;
    }

    private int forwardedFlags() {
        return flags & (FLAG_RECURSION_WANTED | FLAG_AUTHENTIC | FLAG_CHECKING_DISABLED);
    }

    /**
     * The same question as it is passed on: written anew, so that nothing but the question itself, its flags and the wish
     * for signatures goes through, above all no cookie or other option that would come back in somebody else's answer.
     */
    byte[] forwarded(int newId) {
        DnsWriter out = new DnsWriter();
        out.u16(newId);
        out.u16(forwardedFlags());
        out.u16(1);
        out.u32(0);
        out.u16(edns() ? 1 : 0);
        out.bytes(questionBytes.raw());
        if (edns()) {
            out.u8(0);
            out.u16(TYPE_OPT);
            out.u16(UDP_SIZE_MAX);
            out.u32(options == Options.SIGNATURES ? OPT_SIGNATURES : 0);
            out.u16(0);
        }
        return out.toBytes();
    }

    /**
     * Reads a question.
     *
     * @throws DnsFormatException when it is none; {@link #idOf} may still find a number to answer to
     */
    static DnsQuery parse(byte[] message) throws DnsFormatException {
        if (message.length > MESSAGE_MAX) {
            throw new DnsFormatException(message.length + " bytes, at most " + MESSAGE_MAX + " expected");
        }
        DnsReader in = new DnsReader(message);
        int id = in.u16();
        int flags = in.u16();
        int questions = in.u16();
        int before = in.u16() + in.u16();
        int records = before + in.u16();
        if ((flags & FLAG_RESPONSE) != 0) {
            throw new DnsFormatException("an answer where a question is expected");
        }
        if (questions != 1) {
            throw new DnsFormatException(questions + " questions, expected 1");
        }
        if (records > RECORDS_MAX) {
            throw new DnsFormatException(records + " records in a question, at most " + RECORDS_MAX + " expected");
        }
        int start = in.position();
        DnsName name = in.name();
        // Nothing stands before it but the header, whose bytes are others in the copies and answers of the question.
        if (in.position() - start != name.wireLength()) {
            throw new DnsFormatException("a compressed name in a question");
        }
        int type = in.u16();
        int qclass = in.u16();
        byte[] question = Arrays.copyOfRange(message, start, in.position());
        int udpSize = UDP_SIZE_DEFAULT;
        Options options = Options.NONE;
        for (int i = 0; i < records; i++) {
            in.skipName();
            int recordType = in.u16();
            int recordClass = in.u16();
            long ttl = in.u32();
            in.skip(in.u16());
            if (recordType == TYPE_OPT && i >= before) {
                if (options != Options.NONE) {
                    throw new DnsFormatException("two OPT records");
                }
                options = (ttl & OPT_SIGNATURES) != 0 ? Options.SIGNATURES : Options.PLAIN;
                udpSize = Math.clamp(recordClass, UDP_SIZE_DEFAULT, UDP_SIZE_MAX);
            }
        }
        if (in.left() > 0) {
            throw new DnsFormatException(in.left() + " bytes after the end of the message");
        }
        return new DnsQuery(id, flags, name, type, qclass, new Bytes(question), udpSize, options);
    }

    /** The number of a message, 0 when it is too short to have one. */
    static int idOf(byte[] message) {
        return message.length < 2 ? 0 : (message[0] & 255) << 8 | (message[1] & 255);
    }
}
