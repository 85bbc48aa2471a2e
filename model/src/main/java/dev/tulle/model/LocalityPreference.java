package dev.tulle.model;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Whether, and how, it counts for the choice of an endpoint where the caller and the endpoints are. */
public sealed interface LocalityPreference {
    /** Every endpoint is as good as any other. */
    LocalityPreference ANYWHERE = new Anywhere();

    /** It does not count. */
    record Anywhere() implements LocalityPreference {}

    /**
     * The nearest endpoints are used as long as there are some: those of the same subzone, else of the same zone, else of
     * the same region, else others.
     *
     * @param failover for a region the one to go to first when it has no endpoint; the rest is the last resort then
     */
    record Nearest(Map<String, String> failover) implements LocalityPreference {
        public Nearest {
            failover = Collections.unmodifiableMap(new TreeMap<>(failover));
        }
    }

    /**
     * Callers of a place spread over places by weight; endpoints in no such place get nothing.
     *
     * @param shares the first that is about the caller counts; when none is, locality does not count
     */
    record Split(List<Share> shares) implements LocalityPreference {
        public Split {
            shares = List.copyOf(shares);
        }
    }

    /**
     * How the callers of a place are spread. Places are {@code region/zone/subzone}; {@code *} or a missing part is any.
     *
     * @param from where callers are
     * @param to weights of the places that endpoints are in; an endpoint belongs to the first that fits
     */
    record Share(String from, Map<String, Integer> to) {
        public Share {
            to = Collections.unmodifiableMap(new LinkedHashMap<>(to));
        }
    }
}
