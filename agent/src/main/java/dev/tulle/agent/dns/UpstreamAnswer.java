package dev.tulle.agent.dns;

import java.util.ArrayList;
import java.util.List;

/**
 * An answer of a host's resolver, looked through once: whether it is usable, how long it may be kept, and where its
 * times to live are.
 *
 * @param rcode the answer's code
 * @param truncated true when the rest must be fetched over TCP
 * @param negative true when it says that there is no such name or nothing of the type
 * @param ttl seconds it may be kept; 0 when it may not
 * @param ttlOffsets where in the message the times to live are
 */
record UpstreamAnswer(int rcode, boolean truncated, boolean negative, long ttl, List<Integer> ttlOffsets) {
    /** Nothing is kept longer, in seconds, whatever it says. */
    static final long TTL_MAX = 60;

    /**
     * A "no" is kept and told for no longer, in seconds: the name may become one of the mesh's at any time, and then
     * nobody may go on believing that it does not exist.
     */
    static final long NEGATIVE_TTL_MAX = 5;

    UpstreamAnswer {
        ttlOffsets = List.copyOf(ttlOffsets);
    }

    /**
     * Reads an answer. It answers the question only if it repeats it byte for byte, but for the case of letters.
     *
     * @throws DnsFormatException when it is broken or answers something else
     */
    static UpstreamAnswer parse(byte[] message, DnsQuery query, int id) throws DnsFormatException {
        DnsReader in = new DnsReader(message);
        if (in.u16() != id) {
            throw new DnsFormatException("another number than the question's");
        }
        int flags = in.u16();
        if ((flags & DnsQuery.FLAG_RESPONSE) == 0) {
            throw new DnsFormatException("a question where an answer is expected");
        }
        if (((flags >>> 11) & 15) != 0) {
            throw new DnsFormatException("an answer of another operation");
        }
        int questions = in.u16();
        int answers = in.u16();
        int authorities = in.u16();
        int additional = in.u16();
        int rcode = flags & 15;
        boolean error = rcode != DnsQuery.RCODE_OK && rcode != DnsQuery.RCODE_NO_NAME;
        if (questions != 1 && !(questions == 0 && error)) {
            throw new DnsFormatException(questions + " questions in an answer, expected 1");
        }
        if (questions == 1) {
            question(in, query);
        }
        boolean truncated = (flags & DnsQuery.FLAG_TRUNCATED) != 0;
        if (truncated || error) {
            return new UpstreamAnswer(rcode, truncated, false, 0, List.of());
        }
        boolean negative = rcode == DnsQuery.RCODE_NO_NAME || answers == 0;
        long ttl = negative ? NEGATIVE_TTL_MAX : TTL_MAX;
        boolean keepable = false;
        List<Integer> offsets = new ArrayList<>();
        for (int i = 0; i < answers + authorities + additional; i++) {
            in.skipName();
            int type = in.u16();
            in.u16();
            int offset = in.position();
            long recordTtl = in.u32();
            in.skip(in.u16());
            if (type != DnsQuery.TYPE_OPT) {
                offsets.add(offset);
                ttl = Math.min(ttl, recordTtl > Integer.MAX_VALUE ? 0 : recordTtl);
                // A "no" without the zone's SOA must not be kept.
                keepable |= i < answers || type == DnsQuery.TYPE_SOA;
            }
        }
        return new UpstreamAnswer(rcode, false, negative, keepable ? ttl : 0, offsets);
    }

    private static void question(DnsReader in, DnsQuery query) throws DnsFormatException {
        int start = in.position();
        DnsName name = in.name();
        int type = in.u16();
        int qclass = in.u16();
        // The same length, too: the asker's spelling is put over it.
        if (in.position() - start != query.questionBytes().length()
                || !name.equals(query.name())
                || type != query.type()
                || qclass != query.qclass()) {
            throw new DnsFormatException("it answers another question: " + name + " type " + type);
        }
    }

    /**
     * Reduces the times to live in the message by its age, and those of a "no" to what is told of one.
     *
     * @param message the bytes that were parsed
     * @param seconds its age
     */
    void age(byte[] message, long seconds) {
        for (int offset : ttlOffsets) {
            long ttl = (message[offset] & 255L) << 24
                    | (message[offset + 1] & 255) << 16
                    | (message[offset + 2] & 255) << 8
                    | (message[offset + 3] & 255);
            long left = Math.max(0, (negative ? Math.min(ttl, NEGATIVE_TTL_MAX) : ttl) - seconds);
            for (int i = 0; i < 4; i++) {
                message[offset + i] = (byte) (left >>> (24 - 8 * i));
            }
        }
    }
}
