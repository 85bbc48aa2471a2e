package dev.tulle.agent.dns;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The shares of all askers. Thread-safe. */
final class Shares {
    /** Askers remembered; beyond, those silent for {@value #FORGET_NANOS} ns are forgotten. */
    private static final int REMEMBERED_MAX = 1_024;

    private static final long FORGET_NANOS = 60_000_000_000L;

    private final Map<String, Share> shares = new ConcurrentHashMap<>();

    /** The share of an asker. */
    Share of(Asker asker, long now) {
        Share known = shares.get(asker.workload());
        return known != null ? known : fresh(asker, now);
    }

    private Share fresh(Asker asker, long now) {
        if (shares.size() >= REMEMBERED_MAX) {
            shares.values().removeIf(share -> share.idle(now) > FORGET_NANOS);
        }
        return shares.computeIfAbsent(asker.workload(), _ -> new Share(asker.shown(), now));
    }

    /** What became of everybody's questions, ordered by asker. */
    List<Share.Counts> counts(long now) {
        return shares.values().stream()
                .map(share -> share.counts(now))
                .sorted(Comparator.comparing(Share.Counts::asker))
                .toList();
    }
}
