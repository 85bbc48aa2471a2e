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
        assertEquals(DnsAnswer.TTL, UpstreamAnswer.parse(none, query, 1).ttl());
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
        bad.add(named(new byte[] {0x40, 'a', 0}));
        bad.add(named(new byte[] {(byte) 0x80, 'a', 0}));
        byte[] longName = new byte[257];
        for (int i = 0; i < 256; i += 2) {
            longName[i] = 1;
            longName[i + 1] = 'a';
        }
        bad.add(named(longName));
        for (byte[] message : bad) {
            assertThrows(DnsFormatException.class, () -> DnsQuery.parse(message));
        }
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
        cache.keep(first, answer, UpstreamAnswer.parse(answer, first, 5));
        now[0] += 10_000;
        DnsQuery second = DnsQuery.parse(DnsMessages.query(2, "EXAMPLE.org", DnsQuery.TYPE_A));
        byte[] kept = cache.find(second).orElseThrow();
        assertEquals(2, DnsQuery.idOf(kept));
        assertEquals('E', kept[13]);
        assertEquals(20, UpstreamAnswer.parse(kept, second, 2).ttl());
        now[0] += 20_000;
        assertTrue(cache.find(second).isEmpty());
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
