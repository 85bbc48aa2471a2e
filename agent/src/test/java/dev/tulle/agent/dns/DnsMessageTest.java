package dev.tulle.agent.dns;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Proves that the parser takes what is right, refuses what is not, and never fails in any other way. */
class DnsMessageTest {
    @Test
    void readsAQuestionWithItsSpellingAndOptions() throws DnsFormatException {
        DnsQuery query = DnsQuery.parse(DnsMessages.queryWithEdns(77, "ReViews.Default", DnsQuery.TYPE_A, 4096));
        assertEquals("reviews.default", query.name().toString());
        assertEquals(77, query.id());
        assertEquals(DnsQuery.UDP_SIZE_MAX, query.udpSize());
        assertTrue(query.edns());
        byte[] answer = DnsAnswer.addresses(query, List.of(new byte[] {(byte) 240, (byte) 240, 0, 7}));
        assertEquals('R', answer[13]);
        assertEquals(1, DnsMessages.answers(answer));
        UpstreamAnswer read = UpstreamAnswer.parse(answer, query, 77);
        assertEquals(DnsAnswer.TTL, read.ttl());
    }

    @Test
    void noDataAndNoNameCarryTheirLifetime() throws DnsFormatException {
        DnsQuery query = DnsQuery.parse(DnsMessages.query(1, "reviews", DnsQuery.TYPE_AAAA));
        assertEquals(
                DnsAnswer.TTL,
                UpstreamAnswer.parse(DnsAnswer.addresses(query, List.of()), query, 1)
                        .ttl());
        byte[] none = DnsAnswer.noName(query);
        assertEquals(DnsQuery.RCODE_NO_NAME, DnsMessages.rcode(none));
        assertEquals(DnsAnswer.NO_NAME_TTL, UpstreamAnswer.parse(none, query, 1).ttl());
    }

    @Test
    void refusesWhatIsNoQuestion() {
        byte[] good = DnsMessages.query(1, "reviews", DnsQuery.TYPE_A);
        List<byte[]> bad = new ArrayList<>();
        bad.add(new byte[0]);
        bad.add(new byte[11]);
        bad.add(DnsMessages.answer(1, "a", DnsQuery.TYPE_A, 0, 1, List.of()));
        bad.add(java.util.Arrays.copyOf(good, good.length - 1));
        bad.add(java.util.Arrays.copyOf(good, good.length + 1));
        DnsWriter two = DnsMessages.header(1, 0, 2, 0, 0);
        DnsMessages.question(two, "a", 1);
        DnsMessages.question(two, "b", 1);
        bad.add(two.toBytes());
        // A pointer to itself, a pointer forward, a label of the reserved kinds, a name of 256 bytes.
        bad.add(named(new byte[] {(byte) 0xc0, 12}));
        bad.add(named(new byte[] {(byte) 0xc0, 40}));
        // Into the header, where a byte happens to be the length of a label.
        bad.add(named(new byte[] {(byte) 0xc0, 5}));
        bad.add(named(new byte[] {0x40, 'a', 0}));
        bad.add(named(new byte[] {(byte) 0x80, 'a', 0}));
        byte[] longName = new byte[257];
        for (int i = 0; i < 256; i += 2) {
            longName[i] = 1;
            longName[i + 1] = 'a';
        }
        bad.add(named(longName));
        bad.add(new byte[DnsQuery.MESSAGE_MAX + 1]);
        // Nine records, a record's name that leads forward, and one of 300 bytes.
        bad.add(withRecords(9, new byte[] {0}));
        bad.add(withRecords(1, new byte[] {(byte) 0xc0, 60}));
        byte[] longRecordName = new byte[301];
        for (int i = 0; i < 300; i += 2) {
            longRecordName[i] = 1;
        }
        bad.add(withRecords(1, longRecordName));
        for (byte[] message : bad) {
            assertThrows(DnsFormatException.class, () -> DnsQuery.parse(message));
        }
    }

    private static byte[] withRecords(int count, byte[] name) {
        DnsWriter out = DnsMessages.header(1, 0, 1, 0, count);
        DnsMessages.question(out, "a", DnsQuery.TYPE_A);
        for (int i = 0; i < count; i++) {
            out.bytes(name);
            out.u16(DnsQuery.TYPE_A);
            out.u16(DnsQuery.CLASS_IN);
            out.u32(0);
            out.u16(0);
        }
        return out.toBytes();
    }

    private static byte[] named(byte[] name) {
        DnsWriter out = DnsMessages.header(1, 0, 1, 0, 0);
        out.bytes(name);
        out.u16(1);
        out.u16(1);
        return out.toBytes();
    }

    /** Seeded: mutations of good messages and plain noise. Only the format exception may come out. */
    @Test
    void anyBytesGiveAMessageOrTheFormatException() throws DnsFormatException {
        Random random = new Random(20_261_121);
        byte[] question = DnsMessages.queryWithEdns(9, "reviews.default.svc.cluster.local", DnsQuery.TYPE_A, 1232);
        byte[] answer = DnsMessages.answer(
                9, "reviews.default.svc.cluster.local", DnsQuery.TYPE_A, 0, 30, List.of(new byte[4], new byte[4]));
        DnsQuery query = DnsQuery.parse(question);
        int parsed = 0;
        for (int i = 0; i < 200_000; i++) {
            byte[] message;
            if (random.nextInt(4) == 0) {
                message = new byte[random.nextInt(120)];
                random.nextBytes(message);
            } else {
                byte[] base = random.nextBoolean() ? question : answer;
                message = java.util.Arrays.copyOf(
                        base, random.nextInt(8) == 0 ? random.nextInt(base.length) : base.length);
                for (int change = random.nextInt(4); change > 0 && message.length > 0; change--) {
                    message[random.nextInt(message.length)] = (byte) random.nextInt();
                }
            }
            try {
                DnsQuery read = DnsQuery.parse(message);
                parsed++;
                assertFalse(DnsAnswer.noName(read).length == 0);
            } catch (DnsFormatException e) {
                assertFalse(e.getMessage().isEmpty());
            }
            try {
                UpstreamAnswer read = UpstreamAnswer.parse(message, query, 9);
                for (int offset : read.ttlOffsets()) {
                    assertTrue(offset + 4 <= message.length);
                }
            } catch (DnsFormatException e) {
                assertFalse(e.getMessage().isEmpty());
            }
        }
        assertTrue(parsed > 1000, "messages that parsed: " + parsed);
    }

    @Test
    void keptAnswersAgeAndTakeTheAskersNumberAndSpelling() throws DnsFormatException {
        long[] now = {1_000_000};
        DnsCache cache = new DnsCache(() -> java.time.Instant.ofEpochMilli(now[0]));
        DnsQuery first = DnsQuery.parse(DnsMessages.query(1, "example.org", DnsQuery.TYPE_A));
        byte[] answer = DnsMessages.answer(5, "example.org", DnsQuery.TYPE_A, 0, 30, List.of(new byte[] {1, 2, 3, 4}));
        Share share = new Share("shop/one", 0);
        cache.keep(share, first, new DnsQuery.Bytes(answer), UpstreamAnswer.parse(answer, first, 5));
        now[0] += 10_000;
        DnsQuery second = DnsQuery.parse(DnsMessages.query(2, "EXAMPLE.org", DnsQuery.TYPE_A));
        byte[] kept = cache.find(share, second).orElseThrow();
        assertEquals(2, DnsQuery.idOf(kept));
        assertEquals('E', kept[13]);
        assertEquals(20, UpstreamAnswer.parse(kept, second, 2).ttl());
        now[0] += 20_000;
        assertTrue(cache.find(share, second).isEmpty());
    }

    /** A name that the host's resolvers do not know today may be one of the mesh's in a moment. */
    @Test
    void aForwardedNoIsToldForSecondsOnly() throws DnsFormatException {
        DnsQuery query = DnsQuery.parse(DnsMessages.query(1, "reviews", DnsQuery.TYPE_A));
        DnsWriter out = DnsMessages.header(7, DnsQuery.FLAG_RESPONSE | DnsQuery.RCODE_NO_NAME, 1, 0, 1);
        DnsMessages.question(out, "reviews", DnsQuery.TYPE_A);
        out.u8(0);
        out.u16(DnsQuery.TYPE_SOA);
        out.u16(DnsQuery.CLASS_IN);
        out.u32(86_400);
        out.u16(0);
        byte[] message = out.toBytes();
        UpstreamAnswer answer = UpstreamAnswer.parse(message, query, 7);
        assertTrue(answer.negative());
        answer.age(message, 2);
        assertEquals(
                UpstreamAnswer.NEGATIVE_TTL_MAX - 2,
                UpstreamAnswer.parse(message, query, 7).ttl());
    }

    @Test
    void passesOnNothingButTheQuestion() throws DnsFormatException {
        DnsWriter out = DnsMessages.header(7, DnsQuery.FLAG_RECURSION_WANTED | 0x0040, 1, 0, 1);
        DnsMessages.question(out, "example.org", DnsQuery.TYPE_A);
        out.u8(0);
        out.u16(DnsQuery.TYPE_OPT);
        out.u16(4096);
        out.u32(DnsQuery.OPT_SIGNATURES);
        out.u16(12);
        out.bytes(new byte[] {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8});
        byte[] passedOn = DnsQuery.parse(out.toBytes()).forwarded(99);
        DnsQuery read = DnsQuery.parse(passedOn);
        assertEquals(99, read.id());
        assertEquals(DnsQuery.FLAG_RECURSION_WANTED, read.flags());
        assertEquals(DnsQuery.Options.SIGNATURES, read.options());
        assertEquals(DnsQuery.HEADER + 17 + 11, passedOn.length);
    }

    /** What made a message cost 85 ms: thousands of names, each of which leads into the longest chain of pointers. */
    @Test
    void aChainOfPointersCostsNoMoreThanItsBytes() throws DnsFormatException {
        DnsWriter out = DnsMessages.header(7, DnsQuery.FLAG_RESPONSE, 1, 2_600, 0);
        DnsMessages.question(out, "example.org", DnsQuery.TYPE_A);
        int chain = DnsQuery.HEADER + 17 + 12;
        out.u8(0);
        out.u16(DnsQuery.TYPE_A);
        out.u16(DnsQuery.CLASS_IN);
        out.u32(60);
        out.u16(16_000);
        out.u16(0);
        for (int i = 1; i < 8_000; i++) {
            out.u16(0xc000 | (chain + 2 * i - 2));
        }
        for (int i = 1; i < 2_600; i++) {
            out.u16(0xc000 | (chain + 15_990));
            out.u16(DnsQuery.TYPE_A);
            out.u16(DnsQuery.CLASS_IN);
            out.u32(60);
            out.u16(0);
        }
        byte[] message = out.toBytes();
        DnsQuery query = DnsQuery.parse(DnsMessages.query(1, "example.org", DnsQuery.TYPE_A));
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long best = Long.MAX_VALUE;
        long bytes = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 20; i++) {
            long before = threads.getCurrentThreadCpuTime();
            assertEquals(
                    2_600, UpstreamAnswer.parse(message, query, 7).ttlOffsets().size());
            best = Math.min(best, threads.getCurrentThreadCpuTime() - before);
        }
        bytes = (threads.getCurrentThreadAllocatedBytes() - bytes) / 20;
        System.out.printf(
                "dns cost: %d bytes with 2,600 chains: %d us, %d bytes allocated%n",
                message.length, best / 1000, bytes);
        assertTrue(best < 5_000_000, "CPU time of one message: " + best + " ns");
        assertTrue(bytes < 8L * message.length, "allocated: " + bytes);
    }

    @Test
    void truncationAndErrorsRepeatTheQuestion() throws DnsFormatException {
        byte[] message = DnsMessages.query(3, "reviews", DnsQuery.TYPE_A);
        DnsQuery query = DnsQuery.parse(message);
        assertTrue(UpstreamAnswer.parse(DnsAnswer.truncated(query), query, 3).truncated());
        assertEquals(
                DnsQuery.RCODE_SERVER,
                UpstreamAnswer.parse(DnsAnswer.error(query, DnsQuery.RCODE_SERVER), query, 3)
                        .rcode());
        assertArrayEquals(new byte[] {0, 3}, java.util.Arrays.copyOf(DnsAnswer.formatError(message), 2));
    }
}
