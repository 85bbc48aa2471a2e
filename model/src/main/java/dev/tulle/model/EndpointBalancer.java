package dev.tulle.model;

import java.util.List;
import java.util.function.IntPredicate;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Chooses endpoints of one cluster among its {@link Candidates}. Weights are respected. One instance belongs to one
 * thread: round robin keeps its place.
 */
public final class EndpointBalancer {
    /** How busy an endpoint is, asked at the moment of choice. */
    @FunctionalInterface
    public interface Load {
        /** Requests (or connections) in flight to the endpoint of that index. */
        int active(int index);
    }

    private final Cluster.Balancing balancing;
    /** Indexes into the endpoint list of those that take part. */
    private final int[] candidates;

    private final int[] weights;
    private final int[] cumulative;
    private final boolean equal;
    private final int[] current;
    /** With SOURCE_HASH, the place among the candidates for each slot; else empty. */
    private final int[] table;

    private int next;

    private EndpointBalancer(Cluster.Balancing balancing, int[] candidates, int[] weights, int[] table) {
        this.balancing = balancing;
        this.candidates = candidates;
        this.weights = weights;
        this.cumulative = new int[weights.length];
        int sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += weights[i];
            cumulative[i] = sum;
        }
        this.equal = IntStream.of(weights).distinct().count() <= 1;
        this.current = new int[weights.length];
        this.table = table;
    }

    /** Prepares the choice among the endpoints. */
    public static EndpointBalancer of(Cluster.Balancing balancing, List<Endpoint> endpoints) {
        int[] candidates = Candidates.indexes(endpoints);
        int[] weights = IntStream.of(candidates)
                .map(i -> Math.max(1, endpoints.get(i).weight()))
                .toArray();
        int[] table = new int[0];
        if (balancing == Cluster.Balancing.SOURCE_HASH) {
            List<String> names = IntStream.of(candidates)
                    .mapToObj(i ->
                            endpoints.get(i).address() + " " + endpoints.get(i).port())
                    .toList();
            table = Maglev.table(names, weights, Maglev.sizeFor(candidates.length));
        }
        return new EndpointBalancer(balancing, candidates, weights, table);
    }

    /** Starts round robin at a place of chance, so that many proxies do not all begin with the first endpoint. */
    public void shuffle(RandomGenerator random) {
        if (candidates.length > 1) {
            next = random.nextInt(candidates.length);
        }
    }

    /** Endpoints that take part. */
    public int size() {
        return candidates.length;
    }

    /** The index of the chosen endpoint in the list given to {@link #of}; -1 when there is none. */
    public int pick(Load load, RandomGenerator random) {
        if (candidates.length <= 1) {
            return candidates.length == 0 ? -1 : candidates[0];
        }
        return switch (balancing) {
            case LEAST_REQUEST -> leastRequest(load, random);
            case ROUND_ROBIN -> candidates[roundRobin()];
            case RANDOM, SOURCE_HASH, PASSTHROUGH -> candidates[weighted(random)];
        };
    }

    /**
     * As {@link #pick(Load, RandomGenerator)}, for a caller whose address counts with {@code SOURCE_HASH}.
     *
     * @param caller its IPv4 address, the first byte highest
     */
    public int pickFor(int caller, Load load, RandomGenerator random) {
        return table.length == 0 ? pick(load, random) : candidates[table[Maglev.slot(caller, table.length)]];
    }

    /**
     * Chooses among some of the endpoints only: by weight, and with {@code LEAST_REQUEST} of two drawn the less busy.
     * Looks at every endpoint; for the exceptional case that the one of {@link #pick(Load, RandomGenerator)} will not do.
     *
     * @param wanted told of indexes in the list given to {@link #of}
     * @return -1 when none is wanted
     */
    public int pickAmong(IntPredicate wanted, Load load, RandomGenerator random) {
        int first = drawAmong(wanted, random);
        if (first < 0 || balancing != Cluster.Balancing.LEAST_REQUEST) {
            return first;
        }
        int second = drawAmong(wanted, random);
        return load.active(second) < load.active(first) ? second : first;
    }

    private int drawAmong(IntPredicate wanted, RandomGenerator random) {
        int picked = -1;
        int sum = 0;
        for (int i = 0; i < candidates.length; i++) {
            if (wanted.test(candidates[i])) {
                sum += weights[i];
                // Each replaces those before it by the chance that its weight gives it among them.
                picked = random.nextInt(sum) < weights[i] ? candidates[i] : picked;
            }
        }
        return picked;
    }

    /** Power of two choices: of two drawn by weight, the one with fewer in flight. */
    private int leastRequest(Load load, RandomGenerator random) {
        int first = weighted(random);
        int second;
        if (equal) {
            // Two different ones: with two endpoints the less busy always wins.
            second = random.nextInt(candidates.length - 1);
            second += second >= first ? 1 : 0;
        } else {
            second = weighted(random);
        }
        int a = candidates[first];
        int b = candidates[second];
        return load.active(b) < load.active(a) ? b : a;
    }

    private int weighted(RandomGenerator random) {
        if (equal) {
            return random.nextInt(candidates.length);
        }
        int drawn = random.nextInt(cumulative[cumulative.length - 1]);
        int i = 0;
        while (drawn >= cumulative[i]) {
            i++;
        }
        return i;
    }

    /** Smooth weighted round robin: a heavy endpoint's turns are spread, not in a row. */
    private int roundRobin() {
        if (equal) {
            int chosen = next;
            next = next + 1 == candidates.length ? 0 : next + 1;
            return chosen;
        }
        int best = 0;
        int total = 0;
        for (int i = 0; i < weights.length; i++) {
            current[i] += weights[i];
            total += weights[i];
            if (current[i] > current[best]) {
                best = i;
            }
        }
        current[best] -= total;
        return best;
    }
}
