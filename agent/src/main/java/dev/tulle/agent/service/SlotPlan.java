package dev.tulle.agent.service;

import dev.tulle.model.Candidates;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Maglev;
import dev.tulle.model.WeightedCluster;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongUnaryOperator;

/**
 * Turns weights into equal slots, so that the kernel's choice of one slot at random is the weighted choice of an
 * endpoint. Exact while {@value #SLOTS_MAX} slots suffice, else rounded so that each endpoint keeps at least one. Where
 * callers are hashed the slots are a {@link Maglev} table. Pure.
 */
public final class SlotPlan {
    /** Slots of one port of one service. */
    public static final int SLOTS_MAX = 1024;

    /** Finer than whole multiples of the lightest share. */
    private static final int WEIGHT_STEPS = 16;

    private SlotPlan() {}

    private record Share(Endpoint endpoint, double part) {}

    /**
     * Expands clusters into slots.
     *
     * @param clusters the split; those with weight 0 get nothing
     * @param endpoints what is known, by cluster
     * @param kind how a slot will be chosen
     * @return empty when the kernel cannot have the same outcome as the proxy: a cluster with weight has no endpoint
     *     while another has (the proxy fails that share of the connections), or there are more endpoints than slots
     */
    public static Optional<List<Endpoint>> expand(
            List<WeightedCluster> clusters, Map<String, EndpointSet> endpoints, EndpointChoice.Kind kind) {
        List<Share> shares = new ArrayList<>();
        long total = clusters.stream().mapToLong(WeightedCluster::weight).sum();
        int withEndpoints = 0;
        int withWeight = 0;
        long denominator = 1;
        for (WeightedCluster cluster : clusters) {
            if (cluster.weight() == 0) {
                continue;
            }
            withWeight++;
            EndpointSet set = endpoints.get(cluster.cluster());
            List<Endpoint> usable = set == null ? List.of() : Candidates.of(set.endpoints());
            long sum = usable.stream().mapToLong(Endpoint::weight).sum();
            if (usable.isEmpty()) {
                continue;
            }
            withEndpoints++;
            denominator = Math.min(SLOTS_MAX * 1000L, lcm(denominator, sum));
            for (Endpoint endpoint : usable) {
                shares.add(new Share(endpoint, (double) cluster.weight() / total * endpoint.weight() / sum));
            }
        }
        if (withEndpoints == 0) {
            return Optional.of(List.of());
        }
        if (withEndpoints != withWeight || shares.size() > SLOTS_MAX) {
            return Optional.empty();
        }
        return switch (kind) {
            case RANDOM -> Optional.of(expand(shares, denominator * total));
            case ROUND_ROBIN -> Optional.of(spread(expand(shares, denominator * total)));
            case SOURCE_HASH, STICKY -> hashed(shares, withWeight == 1);
        };
    }

    /**
     * A table for hashed callers; each endpoint gets a few slots at least, so that its share is right. That of a single
     * cluster is the one that the proxy has of it ({@link dev.tulle.model.EndpointBalancer}).
     */
    private static Optional<List<Endpoint>> hashed(List<Share> shares, boolean single) {
        int size = Maglev.sizeFor(shares.size());
        double lightest = shares.stream().mapToDouble(Share::part).min().orElse(1);
        if (lightest * size < 1) {
            return Optional.empty();
        }
        List<String> names = shares.stream()
                .map(share ->
                        share.endpoint().address() + " " + share.endpoint().port())
                .toList();
        int[] weights = shares.stream()
                .mapToInt(share -> single
                        ? share.endpoint().weight()
                        : (int) Math.max(1, Math.round(share.part() / lightest * WEIGHT_STEPS)))
                .toArray();
        List<Endpoint> slots = new ArrayList<>(size);
        for (int index : Maglev.table(names, weights, size)) {
            slots.add(shares.get(index).endpoint());
        }
        return Optional.of(slots);
    }

    /** The same slots in an order in which those of one endpoint are far from each other (smooth weighted turns). */
    private static List<Endpoint> spread(List<Endpoint> slots) {
        Map<Endpoint, Integer> counts = new LinkedHashMap<>();
        slots.forEach(slot -> counts.merge(slot, 1, Integer::sum));
        if (counts.size() == slots.size()) {
            return slots;
        }
        List<Endpoint> all = List.copyOf(counts.keySet());
        int[] current = new int[all.size()];
        List<Endpoint> spread = new ArrayList<>(slots.size());
        while (spread.size() < slots.size()) {
            int best = 0;
            for (int i = 0; i < current.length; i++) {
                current[i] += counts.getOrDefault(all.get(i), 0);
                best = current[i] > current[best] ? i : best;
            }
            current[best] -= slots.size();
            spread.add(all.get(best));
        }
        return spread;
    }

    private static List<Endpoint> expand(List<Share> shares, long denominator) {
        long divisor = 0;
        for (Share share : shares) {
            divisor = gcd(divisor, Math.round(share.part() * denominator));
        }
        long exact = divisor == 0 ? Long.MAX_VALUE : denominator / divisor;
        long slots = Math.min(exact, SLOTS_MAX);
        LongUnaryOperator count =
                i -> Math.max(1, Math.round(shares.get((int) i).part() * slots));
        List<Endpoint> expanded = new ArrayList<>();
        for (int i = 0; i < shares.size(); i++) {
            for (long n = count.applyAsLong(i); n > 0 && expanded.size() < 2 * SLOTS_MAX; n--) {
                expanded.add(shares.get(i).endpoint());
            }
        }
        return expanded;
    }

    private static long gcd(long a, long b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    private static long lcm(long a, long b) {
        return a / gcd(a, b) * b;
    }
}
