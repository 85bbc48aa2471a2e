package dev.tulle.agent.dns;

import java.util.ArrayList;
import java.util.List;

/**
 * An answer of a host's resolver, looked through once: whether it is usable, how long it may be kept, and where its
 * times to live are.
 *
 * @param rcode the answer's code
 * @param truncated true when the rest must be fetched over TCP
 * @param ttl seconds it may be kept; 0 when it may not
 * @param ttlOffsets where in the message the times to live are
 */
record UpstreamAnswer(int rcode, boolean truncated, long ttl, List<Integer> ttlOffsets) {
    /** Nothing is kept longer, in seconds, whatever it says. */
    static final long TTL_MAX = 60;

    UpstreamAnswer {
        ttlOffsets = List.copyOf(ttlOffsets);
    }

    /**
     * Reads an answer.
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
        int questions = in.u16();
        int answers = in.u16();
        int authorities = in.u16();
        int additional = in.u16();
        boolean error = (flags & 15) != DnsQuery.RCODE_OK && (flags & 15) != DnsQuery.RCODE_NO_NAME;
        if (questions != 1 && !(questions == 0 && error)) {
            throw new DnsFormatException(questions + " questions in an answer, expected 1");
        }
        if (questions == 1) {
            DnsName name = in.name();
            int type = in.u16();
            int qclass = in.u16();
            if (!name.equals(query.name()) || type != query.type() || qclass != query.qclass()) {
                throw new DnsFormatException("it answers another question: " + name + " type " + type);
            }
        }
        boolean truncated = (flags & DnsQuery.FLAG_TRUNCATED) != 0;
        if (truncated || error) {
            return new UpstreamAnswer(flags & 15, truncated, 0, List.of());
        }
        long ttl = TTL_MAX;
        boolean keepable = false;
        List<Integer> offsets = new ArrayList<>();
        for (int i = 0; i < answers + authorities + additional; i++) {
            in.name();
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
        return new UpstreamAnswer(flags & 15, false, keepable ? ttl : 0, offsets);
    }
}
