package dev.tulle.agent.dns;

import java.util.List;

/** Builds messages for tests. */
final class DnsMessages {
    private DnsMessages() {}

    static byte[] query(int id, String name, int type) {
        DnsWriter out = header(id, DnsQuery.FLAG_RECURSION_WANTED, 1, 0, 0);
        question(out, name, type);
        return out.toBytes();
    }

    static byte[] queryWithEdns(int id, String name, int type, int size) {
        DnsWriter out = header(id, DnsQuery.FLAG_RECURSION_WANTED, 1, 0, 1);
        question(out, name, type);
        out.u8(0);
        out.u16(DnsQuery.TYPE_OPT);
        out.u16(size);
        out.u32(0);
        out.u16(0);
        return out.toBytes();
    }

    static byte[] answer(int id, String name, int type, int rcode, long ttl, List<byte[]> data) {
        DnsWriter out = header(id, DnsQuery.FLAG_RESPONSE | DnsQuery.FLAG_RECURSION | rcode, 1, data.size(), 0);
        question(out, name, type);
        for (byte[] one : data) {
            out.u16(0xc000 | DnsQuery.HEADER);
            out.u16(type);
            out.u16(DnsQuery.CLASS_IN);
            out.u32(ttl);
            out.u16(one.length);
            out.bytes(one);
        }
        return out.toBytes();
    }

    static DnsWriter header(int id, int flags, int questions, int answers, int additional) {
        DnsWriter out = new DnsWriter();
        out.u16(id);
        out.u16(flags);
        out.u16(questions);
        out.u16(answers);
        out.u16(0);
        out.u16(additional);
        return out;
    }

    static void question(DnsWriter out, String name, int type) {
        for (String label : name.split("\\.")) {
            out.u8(label.length());
            out.bytes(label.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
        }
        out.u8(0);
        out.u16(type);
        out.u16(DnsQuery.CLASS_IN);
    }

    static int rcode(byte[] message) {
        return message[3] & 15;
    }

    static int answers(byte[] message) {
        return (message[6] & 255) << 8 | (message[7] & 255);
    }
}
