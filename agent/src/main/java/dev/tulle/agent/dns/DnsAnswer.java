package dev.tulle.agent.dns;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** Builds answers. Pure. */
final class DnsAnswer {
    /** How long an answer about the mesh may be kept, in seconds: short, as services come and go. */
    static final int TTL = 5;

    /** How long it may be kept that a name of the mesh does not exist, in seconds: it may at any moment. */
    static final int NO_NAME_TTL = 1;

    /** The EDNS option that says in words why an answer is an error (RFC 8914). */
    private static final int OPTION_EXTENDED_ERROR = 15;

    private DnsAnswer() {}

    /** An answer with addresses (4 or 16 bytes each), all of the type asked for; none of them is "no data". */
    static byte[] addresses(DnsQuery query, List<byte[]> addresses) {
        DnsWriter out = head(query, DnsQuery.RCODE_OK, addresses.size(), addresses.isEmpty() ? 1 : 0, true);
        for (byte[] address : addresses) {
            record(out, query.type(), address);
        }
        if (addresses.isEmpty()) {
            soa(out, TTL);
        }
        return end(out, query);
    }

    /** An answer with a name, to a reverse question. */
    static byte[] pointer(DnsQuery query, DnsName target) {
        DnsWriter data = new DnsWriter();
        target.write(data);
        DnsWriter out = head(query, DnsQuery.RCODE_OK, 1, 0, true);
        record(out, DnsQuery.TYPE_PTR, data.toBytes());
        return end(out, query);
    }

    /** The mesh's own answer that a name does not exist. */
    static byte[] noName(DnsQuery query) {
        DnsWriter out = head(query, DnsQuery.RCODE_NO_NAME, 0, 1, true);
        soa(out, NO_NAME_TTL);
        return end(out, query);
    }

    /** An error. */
    static byte[] error(DnsQuery query, int rcode) {
        return end(head(query, rcode, 0, 0, false), query);
    }

    /** The answer to a question over its asker's share, with the reason in words where the asker can take them. */
    static byte[] refused(DnsQuery query, String why) {
        DnsWriter option = new DnsWriter();
        byte[] text = why.getBytes(StandardCharsets.UTF_8);
        option.u16(OPTION_EXTENDED_ERROR);
        option.u16(text.length + 2);
        option.u16(0);
        option.bytes(text);
        return end(head(query, DnsQuery.RCODE_REFUSED, 0, 0, false), query, option.toBytes());
    }

    /** The answer to bytes that are no question. */
    static byte[] formatError(byte[] message) {
        DnsWriter out = new DnsWriter();
        out.u16(DnsQuery.idOf(message));
        out.u16(DnsQuery.FLAG_RESPONSE | DnsQuery.RCODE_FORMAT);
        out.u32(0);
        out.u32(0);
        return out.toBytes();
    }

    /** The answer in place of one that is too large for UDP: the asker comes again over TCP. */
    static byte[] truncated(DnsQuery query) {
        byte[] answer = end(head(query, DnsQuery.RCODE_OK, 0, 0, false), query);
        answer[2] |= (byte) (DnsQuery.FLAG_TRUNCATED >>> 8);
        return answer;
    }

    private static DnsWriter head(DnsQuery query, int rcode, int answers, int authorities, boolean ours) {
        DnsWriter out = new DnsWriter();
        out.u16(query.id());
        out.u16(DnsQuery.FLAG_RESPONSE
                | (query.flags() & 0x7800)
                | (ours ? DnsQuery.FLAG_AUTHORITATIVE : 0)
                | (query.flags() & DnsQuery.FLAG_RECURSION_WANTED)
                | DnsQuery.FLAG_RECURSION
                | rcode);
        out.u16(1);
        out.u16(answers);
        out.u16(authorities);
        out.u16(query.edns() ? 1 : 0);
        out.bytes(query.questionBytes().raw());
        return out;
    }

    private static byte[] end(DnsWriter out, DnsQuery query) {
        return end(out, query, new byte[0]);
    }

    private static byte[] end(DnsWriter out, DnsQuery query, byte[] options) {
        if (query.edns()) {
            out.u8(0);
            out.u16(DnsQuery.TYPE_OPT);
            out.u16(DnsQuery.UDP_SIZE_MAX);
            out.u32(0);
            out.u16(options.length);
            out.bytes(options);
        }
        return out.toBytes();
    }

    private static void record(DnsWriter out, int type, byte[] data) {
        out.u16(0xc000 | DnsQuery.HEADER);
        out.u16(type);
        out.u16(DnsQuery.CLASS_IN);
        out.u32(TTL);
        out.u16(data.length);
        out.bytes(data);
    }

    /** Tells resolvers how long "no" may be kept. */
    private static void soa(DnsWriter out, int ttl) {
        DnsWriter data = new DnsWriter();
        DnsName.of("ns.tulle.invalid").write(data);
        DnsName.of("hostmaster.tulle.invalid").write(data);
        data.u32(1);
        data.u32(ttl);
        data.u32(ttl);
        data.u32(ttl);
        data.u32(ttl);
        out.u16(0xc000 | DnsQuery.HEADER);
        out.u16(DnsQuery.TYPE_SOA);
        out.u16(DnsQuery.CLASS_IN);
        out.u32(ttl);
        byte[] bytes = data.toBytes();
        out.u16(bytes.length);
        out.bytes(bytes);
    }
}
