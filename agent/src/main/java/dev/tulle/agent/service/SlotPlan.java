package dev.tulle.agent.service;

import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.WeightedCluster;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongUnaryOperator;

/**
 * Turns weights into equal slots, so that the kernel's choice of one slot at random is the weighted choice of an
 * endpoint. Exact while {@value #SLOTS_MAX} slots suffice, else rounded so that each endpoint keeps at least one. Pure.
 */
public final class SlotPlan {
    /** Slots of one port of one service. */
    public static final int SLOTS_MAX = 1024;

    private SlotPlan() {}

    private record Share(Endpoint endpoint, double part) {}

    /**
     * Expands clusters into slots.
     *
     * @param clusters the split; those with weight 0 get nothing
     * @param endpoints what is known, by cluster
     * @return empty when the kernel cannot have the same outcome as the proxy: a cluster with weight has no endpoint
     *     while another has (the proxy fails that share of the connections), or there are more endpoints than slots
     */
    public static Optional<List<Endpoint>> expand(List<WeightedCluster> clusters, Map<String, EndpointSet> endpoints) {
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
            List<Endpoint> usable = set == null ? List.of() : usable(set.endpoints());
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
        return Optional.of(expand(shares, denominator * total));
    }

    private static List<Endpoint> usable(List<Endpoint> all) {
        List<Endpoint> healthy = all.stream().filter(Endpoint::healthy).toList();
        return healthy.isEmpty() ? all : healthy;
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
