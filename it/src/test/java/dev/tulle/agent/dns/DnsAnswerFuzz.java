package dev.tulle.agent.dns;

import dev.tulle.it.fuzz.Cost;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** An answer from the network to one question: refused, or kept, aged and given again without losing its form. */
public final class DnsAnswerFuzz {
    private static final int NUMBER = 4711;
    private static final DnsQuery QUERY = query();

    private DnsAnswerFuzz() {}

    private static DnsQuery query() {
        try {
            return DnsQuery.parse(DnsQuestionFuzz.seeds().getLast());
        } catch (DnsFormatException e) {
            throw new AssertionError(e);
        }
    }

    /** One answer. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 200_000, 100, () -> check(data));
    }

    private static void check(byte[] data) {
        UpstreamAnswer answer;
        try {
            answer = UpstreamAnswer.parse(data, QUERY, NUMBER);
        } catch (DnsFormatException e) {
            Cost.must(!e.getMessage().isEmpty(), "a refusal without a word");
            return;
        }
        Cost.must(answer.ttl() >= 0 && answer.ttl() <= UpstreamAnswer.TTL_MAX, "kept for " + answer.ttl());
        long[] now = {1_000_000};
        DnsCache cache = new DnsCache(() -> Instant.ofEpochMilli(now[0]));
        Share share = new Share("shop/one", 0);
        cache.keep(share, QUERY, new DnsQuery.Bytes(data), answer);
        now[0] += 999;
        byte[] kept = cache.find(share, QUERY).orElse(null);
        Cost.must((kept != null) == (answer.ttl() > 0 && data.length <= DnsCache.ANSWER_MAX), "kept or not");
        if (kept != null) {
            try {
                UpstreamAnswer again = UpstreamAnswer.parse(kept, QUERY, QUERY.id());
                Cost.must(again.ttlOffsets().equals(answer.ttlOffsets()), "its form");
                Cost.must(again.ttl() <= answer.ttl(), "its time to live");
            } catch (DnsFormatException e) {
                throw new AssertionError("what was kept cannot be read: " + e.getMessage(), e);
            }
        }
        now[0] += 60_000;
        Cost.must(cache.find(share, QUERY).isEmpty(), "kept too long");
    }

    /** Answers with records of several kinds. */
    public static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (int code = 0; code < 4; code++) {
            DnsWriter out = new DnsWriter();
            out.u16(NUMBER);
            out.u16(DnsQuery.FLAG_RESPONSE | DnsQuery.FLAG_RECURSION | code);
            out.u16(1);
            out.u16(2);
            out.u16(1);
            out.u16(1);
            out.bytes(QUERY.questionBytes().copy());
            for (int i = 0; i < 3; i++) {
                out.u16(0xc000 | DnsQuery.HEADER);
                out.u16(i == 2 ? DnsQuery.TYPE_SOA : QUERY.type());
                out.u16(DnsQuery.CLASS_IN);
                out.u32(30 * i + 30);
                out.u16(4);
                out.u32(0x09090909);
            }
            out.u8(0);
            out.u16(DnsQuery.TYPE_OPT);
            out.u16(1232);
            out.u32(0);
            out.u16(0);
            seeds.add(out.toBytes());
        }
        return seeds;
    }
}
