package dev.tulle.agent.dns;

import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Keeps answers of the host's resolvers for as long as they allow, at most {@value #ENTRIES_MAX} of them, those used
 * longest ago leaving first. Thread-safe.
 */
final class DnsCache {
    /** Answers kept at once; with typical answers about 1 MiB. */
    static final int ENTRIES_MAX = 4096;

    private final InstantSource clock;
    private final LinkedHashMap<Key, Entry> entries = new LinkedHashMap<>(64, 0.75f, true);

    private record Key(DnsName name, int type, int qclass, boolean edns) {}

    private record Entry(DnsQuery.Bytes message, List<Integer> ttlOffsets, long storedMillis, long untilMillis) {}

    DnsCache(InstantSource clock) {
        this.clock = clock;
    }

    /** A kept answer with the asker's number and spelling, and times to live reduced by its age. */
    synchronized Optional<byte[]> find(DnsQuery query) {
        Key key = keyOf(query);
        Entry entry = entries.get(key);
        if (entry == null) {
            return Optional.empty();
        }
        long now = clock.millis();
        if (now >= entry.untilMillis || now < entry.storedMillis) {
            entries.remove(key);
            return Optional.empty();
        }
        byte[] message = entry.message.copy();
        long age = (now - entry.storedMillis) / 1000;
        for (int offset : entry.ttlOffsets) {
            long ttl = (message[offset] & 255L) << 24
                    | (message[offset + 1] & 255) << 16
                    | (message[offset + 2] & 255) << 8
                    | (message[offset + 3] & 255);
            long left = Math.max(0, ttl - age);
            for (int i = 0; i < 4; i++) {
                message[offset + i] = (byte) (left >>> (24 - 8 * i));
            }
        }
        return Optional.of(readdress(message, query));
    }

    /** Keeps an answer, if it says that it may be kept. */
    synchronized void keep(DnsQuery query, byte[] message, UpstreamAnswer answer) {
        if (answer.ttl() <= 0) {
            return;
        }
        long now = clock.millis();
        entries.put(
                keyOf(query),
                new Entry(new DnsQuery.Bytes(message), answer.ttlOffsets(), now, now + answer.ttl() * 1000));
        if (entries.size() > ENTRIES_MAX) {
            Map.Entry<Key, Entry> eldest = entries.entrySet().iterator().next();
            entries.remove(eldest.getKey());
        }
    }

    synchronized int size() {
        return entries.size();
    }

    private static Key keyOf(DnsQuery query) {
        return new Key(query.name(), query.type(), query.qclass(), query.edns());
    }

    /** Puts the asker's number and its spelling of the question into an answer to the same question. */
    static byte[] readdress(byte[] message, DnsQuery query) {
        message[0] = (byte) (query.id() >>> 8);
        message[1] = (byte) query.id();
        byte[] question = query.questionBytes().copy();
        boolean hasQuestion = message[4] == 0 && message[5] == 1 && message.length >= DnsQuery.HEADER + question.length;
        if (hasQuestion) {
            System.arraycopy(question, 0, message, DnsQuery.HEADER, question.length);
        }
        return message;
    }
}
