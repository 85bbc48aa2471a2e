package dev.tulle.model;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Which endpoints of a cluster take part in the choice: the healthy ones of the best priority that has any. When none is
 * healthy, all of the best priority: better a try than a sure failure. The same for kernel and proxy. Pure.
 */
public final class Candidates {
    private Candidates() {}

    /** Those that take part, in their order. */
    public static List<Endpoint> of(List<Endpoint> endpoints) {
        return IntStream.of(indexes(endpoints)).mapToObj(endpoints::get).toList();
    }

    /** The indexes of those that take part, ascending. */
    public static int[] indexes(List<Endpoint> endpoints) {
        boolean anyHealthy = endpoints.stream().anyMatch(Endpoint::healthy);
        int best = endpoints.stream()
                .filter(endpoint -> endpoint.healthy() || !anyHealthy)
                .mapToInt(Endpoint::priority)
                .min()
                .orElse(0);
        return IntStream.range(0, endpoints.size())
                .filter(i -> endpoints.get(i).priority() == best)
                .filter(i -> endpoints.get(i).healthy() || !anyHealthy)
                .toArray();
    }
}
