package dev.tulle.common;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a role's local interfaces refused: counted for `tulle status` and metrics, and logged as short lines, few enough
 * that nobody fills a log with them. Thread-safe.
 */
public final class LocalRefusals {
    /** One log line in this time at most, over all interfaces of the role. */
    static final Duration LOG_INTERVAL = Duration.ofSeconds(5);

    /** Kinds that are told apart; further ones are counted together. */
    static final int MAX_KINDS = 64;

    private static final System.Logger LOG = System.getLogger(LocalRefusals.class.getName());
    private static final int MAX_TEXT = 200;

    private final InstantSource clock;
    private final Map<Key, Refusal> kinds = new LinkedHashMap<>();
    private Instant nextLine = Instant.MIN;
    private long unlogged;

    private record Key(String where, String who, String why) {}

    /**
     * One kind of refusal.
     *
     * @param where the socket or port
     * @param who the peer, as far as the kernel told
     * @param why what was refused, and what is expected
     * @param count how often since the start
     * @param last when last
     */
    public record Refusal(String where, String who, String why, long count, Instant last) {}

    /** Nothing refused yet. */
    public LocalRefusals() {
        this(InstantSource.system());
    }

    LocalRefusals(InstantSource clock) {
        this.clock = clock;
    }

    /** Counts one refusal, and logs it if the last line was long enough ago. */
    public void note(String where, String who, String why) {
        String line;
        synchronized (this) {
            Instant now = clock.instant();
            Key key = new Key(where, who, VisibleText.line(why, MAX_TEXT));
            if (!kinds.containsKey(key) && kinds.size() >= MAX_KINDS) {
                key = new Key(where, "others", "more kinds than are told apart");
            }
            Refusal before = kinds.get(key);
            kinds.put(key, new Refusal(key.where, key.who, key.why, before == null ? 1 : before.count() + 1, now));
            if (now.isBefore(nextLine)) {
                unlogged++;
                return;
            }
            nextLine = now.plus(LOG_INTERVAL);
            line = key.where + ": refused " + key.who + ": " + key.why
                    + (unlogged == 0 ? "" : " (and " + unlogged + " more since the last line)");
            unlogged = 0;
        }
        LOG.log(System.Logger.Level.WARNING, line);
    }

    /** Everything refused since the start, first the kind that came first. */
    public synchronized List<Refusal> all() {
        return new ArrayList<>(kinds.values());
    }

    /** Everything refused since the start, in one number. */
    public synchronized long total() {
        return kinds.values().stream().mapToLong(Refusal::count).sum();
    }
}
