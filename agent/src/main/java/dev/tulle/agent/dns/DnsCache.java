package dev.tulle.agent.dns;

import java.time.InstantSource;
import java.util.Optional;

/**
 * Keeps answers of the host's resolvers for as long as they allow, at most {@value #BYTES_MAX} bytes of them. Each belongs
 * to the asker who needed it; who asks for many names pushes out his own ({@link FairLru}). Thread-safe.
 */
final class DnsCache {
    /** Bytes of answers kept at once, with what keeping each costs. */
    static final int BYTES_MAX = 4 << 20;

    /** Larger answers are fetched again each time. */
    static final int ANSWER_MAX = 8_192;

    /** What an entry needs beside its message, in bytes, about. */
    private static final int OVERHEAD = 400;

    private final InstantSource clock;
    private final FairLru<Share, DnsQuery.Key, Entry> entries = new FairLru<>(BYTES_MAX);

    private record Entry(DnsQuery.Bytes message, UpstreamAnswer answer, long storedMillis, long untilMillis) {}

    DnsCache(InstantSource clock) {
        this.clock = clock;
    }

    /** A kept answer with the asker's number and spelling, and times to live reduced by its age. */
    synchronized Optional<byte[]> find(Share share, DnsQuery query) {
        DnsQuery.Key key = query.key();
        Optional<Entry> found = entries.get(share, key);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        Entry entry = found.get();
        long now = clock.millis();
        if (now >= entry.untilMillis || now < entry.storedMillis) {
            entries.remove(key);
            return Optional.empty();
        }
        byte[] message = entry.message.copy();
        entry.answer.age(message, (now - entry.storedMillis) / 1000);
        return Optional.of(readdress(message, query));
    }

    /** Keeps an answer, if it says that it may be kept. */
    synchronized void keep(Share share, DnsQuery query, DnsQuery.Bytes message, UpstreamAnswer answer) {
        if (answer.ttl() <= 0 || message.length() > ANSWER_MAX) {
            return;
        }
        long now = clock.millis();
        entries.put(
                share,
                query.key(),
                new Entry(message, answer, now, now + answer.ttl() * 1000),
                message.length() + 4 * answer.ttlOffsets().size() + OVERHEAD);
    }

    synchronized int size() {
        return entries.size();
    }

    /** Puts the asker's number and its spelling of the question into an answer to the same question. */
    static byte[] readdress(byte[] message, DnsQuery query) {
        message[0] = (byte) (query.id() >>> 8);
        message[1] = (byte) query.id();
        byte[] question = query.questionBytes().raw();
        boolean hasQuestion = message[4] == 0 && message[5] == 1 && message.length >= DnsQuery.HEADER + question.length;
        if (hasQuestion) {
            System.arraycopy(question, 0, message, DnsQuery.HEADER, question.length);
        }
        return message;
    }
}
