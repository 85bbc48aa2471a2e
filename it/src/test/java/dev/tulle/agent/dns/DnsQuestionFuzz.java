package dev.tulle.agent.dns;

import dev.tulle.it.fuzz.Cost;
import java.util.ArrayList;
import java.util.List;

/** A workload's message: refused with the format exception, or a question whose every answer and copy reads back. */
public final class DnsQuestionFuzz {
    private DnsQuestionFuzz() {}

    /** One message. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 100_000, 200, () -> check(data));
    }

    private static void check(byte[] data) {
        DnsQuery query;
        try {
            query = DnsQuery.parse(data);
        } catch (DnsFormatException e) {
            Cost.must(!e.getMessage().isEmpty(), "a refusal without a word");
            Cost.must(
                    DnsAnswer.formatError(data).length == DnsQuery.HEADER, "the answer to bytes that are no question");
            return;
        }
        int wire = 1;
        for (String label : query.name().labels()) {
            Cost.must(!label.isEmpty() && label.length() <= 63, "a label of " + label.length());
            wire += label.length() + 1;
        }
        Cost.must(wire <= 255, "a name of " + wire + " bytes");
        try {
            DnsQuery again = DnsQuery.parse(query.forwarded(query.id() ^ 1));
            Cost.must(again.key().equals(query.key()), "passed on as another question");
            Cost.must(again.id() == (query.id() ^ 1), "the number");
            Cost.must(again.questionBytes().equals(query.questionBytes()), "the spelling");
            // Other operations are answered with "not implemented" alone.
            for (byte[] answer : query.opcode() == 0 ? answers(query) : List.<byte[]>of()) {
                UpstreamAnswer read = UpstreamAnswer.parse(answer, query, query.id());
                Cost.must(read.rcode() == (answer[3] & 15), "the code");
            }
        } catch (DnsFormatException e) {
            throw new AssertionError("an own message cannot be read: " + e.getMessage(), e);
        }
        query.name().reverse4();
        MeshNames.Meaning meaning =
                new MeshNames("cluster.local").of(query.name(), "shop", List.of("example.org", "corp"));
        Cost.must(meaning.candidates().size() <= 5, "candidates: " + meaning);
        for (MeshNames.Candidate candidate : meaning.candidates()) {
            Cost.must(candidate.hostname().chars().allMatch(c -> c > ' ' && c < 127), "a host name: " + candidate);
        }
    }

    private static List<byte[]> answers(DnsQuery query) {
        List<byte[]> answers = new ArrayList<>();
        answers.add(DnsAnswer.noName(query));
        answers.add(DnsAnswer.truncated(query));
        answers.add(DnsResolver.refused(query));
        answers.add(DnsAnswer.addresses(query, List.of(new byte[4], new byte[4])));
        answers.add(DnsAnswer.pointer(query, DnsName.of("reviews.default.svc.cluster.local")));
        return answers;
    }

    /** Questions with and without options. */
    public static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (String name :
                List.of("a", "reviews.default.svc.cluster.local", "7.0.242.240.in-addr.arpa", "x.Example.ORG")) {
            for (int records = 0; records < 2; records++) {
                DnsWriter out = new DnsWriter();
                out.u16(4711);
                out.u16(DnsQuery.FLAG_RECURSION_WANTED);
                out.u16(1);
                out.u32(0);
                out.u16(records);
                DnsName.of(name).write(out);
                out.u16(records == 0 ? DnsQuery.TYPE_A : DnsQuery.TYPE_PTR);
                out.u16(DnsQuery.CLASS_IN);
                if (records == 1) {
                    out.u8(0);
                    out.u16(DnsQuery.TYPE_OPT);
                    out.u16(4096);
                    out.u32(DnsQuery.OPT_SIGNATURES);
                    out.u16(4);
                    out.u32(0x000a0000);
                }
                seeds.add(out.toBytes());
            }
        }
        return seeds;
    }
}
