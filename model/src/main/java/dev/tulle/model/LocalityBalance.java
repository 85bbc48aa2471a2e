package dev.tulle.model;

import dev.tulle.model.LocalityPreference.Anywhere;
import dev.tulle.model.LocalityPreference.Nearest;
import dev.tulle.model.LocalityPreference.Share;
import dev.tulle.model.LocalityPreference.Split;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * Decides once, where endpoints are handed out, what locality means for callers of one place: the result says it in
 * priorities and weights, which is all that whoever chooses an endpoint has to obey. The ranks are Istio's. Pure.
 */
public final class LocalityBalance {
    /** Largest weight that a split gives to an endpoint: sums of any number of them stay integers. */
    static final int WEIGHT_MAX = 10_000;

    /** Above this multiple, shares of a split are rounded. */
    private static final long EXACT_MAX = 1_000_000;

    private static final int OTHER_REGION = 3;

    private LocalityBalance() {}

    /** The endpoints as callers of a place have to use them. */
    public static EndpointSet seenFrom(Locality client, EndpointSet set) {
        List<Endpoint> seen =
                switch (set.preference()) {
                    case Anywhere _ -> set.endpoints();
                    case Nearest nearest when client.isKnown() -> nearest(client, nearest, set.endpoints());
                    case Nearest _ -> set.endpoints();
                    case Split split ->
                        split.shares().stream()
                                .filter(share -> covers(share.from(), client))
                                .findFirst()
                                .map(share -> split(share, set.endpoints()))
                                .orElse(set.endpoints());
                };
        return new EndpointSet(set.cluster(), seen);
    }

    private static List<Endpoint> nearest(Locality client, Nearest nearest, List<Endpoint> endpoints) {
        TreeSet<Integer> ranks = new TreeSet<>();
        for (Endpoint endpoint : endpoints) {
            ranks.add(rank(client, nearest, endpoint.locality()));
        }
        // Without gaps: that is how Envoy wants them.
        List<Integer> order = List.copyOf(ranks);
        return endpoints.stream()
                .map(e -> e.withPriority(order.indexOf(rank(client, nearest, e.locality()))))
                .toList();
    }

    private static int rank(Locality client, Nearest nearest, Locality endpoint) {
        if (!client.region().equals(endpoint.region())) {
            String next = nearest.failover().get(client.region());
            return next == null || next.equals(endpoint.region()) ? OTHER_REGION : OTHER_REGION + 1;
        }
        if (!client.zone().equals(endpoint.zone())) {
            return 2;
        }
        return client.subzone().equals(endpoint.subzone()) ? 0 : 1;
    }

    /** The endpoints of one place of a split. */
    private record Place(int weight, List<Endpoint> members) {}

    private static List<Endpoint> split(Share share, List<Endpoint> endpoints) {
        List<Place> places = new ArrayList<>();
        List<Endpoint> rest = endpoints;
        for (var to : share.to().entrySet()) {
            List<Endpoint> members =
                    rest.stream().filter(e -> covers(to.getKey(), e.locality())).toList();
            rest = rest.stream().filter(e -> !covers(to.getKey(), e.locality())).toList();
            places.add(new Place(to.getValue(), members));
        }
        List<Endpoint> kept =
                places.stream().flatMap(place -> place.members().stream()).toList();
        boolean anyHealthy = kept.stream().anyMatch(Endpoint::healthy);
        // What is not ready takes no part, and so has no part in its place's share.
        List<Place> taking = places.stream()
                .map(place -> new Place(
                        place.weight(),
                        place.members().stream()
                                .filter(e -> e.healthy() || !anyHealthy)
                                .toList()))
                .filter(place -> !place.members().isEmpty())
                .toList();
        List<Endpoint> weighted = new ArrayList<>(weigh(taking));
        if (anyHealthy) {
            kept.stream().filter(e -> !e.healthy()).forEach(weighted::add);
        }
        return weighted;
    }

    private static List<Endpoint> weigh(List<Place> places) {
        long common = 1;
        for (Place place : places) {
            long sum = sum(place);
            common = Math.min(EXACT_MAX, common / gcd(common, sum) * sum);
        }
        List<Endpoint> members = new ArrayList<>();
        List<Double> parts = new ArrayList<>();
        long divisor = 0;
        for (Place place : places) {
            for (Endpoint endpoint : place.members()) {
                double part = (double) place.weight() * weight(endpoint) * common / sum(place);
                members.add(endpoint);
                parts.add(part);
                divisor = gcd(Math.max(1, Math.round(part)), divisor);
            }
        }
        double heaviest = parts.stream().mapToDouble(part -> part).max().orElse(1) / Math.max(1, divisor);
        double scale = Math.max(1, divisor) * Math.max(1, heaviest / WEIGHT_MAX);
        List<Endpoint> weighted = new ArrayList<>();
        for (int i = 0; i < members.size(); i++) {
            weighted.add(members.get(i).withWeight((int) Math.max(1, Math.round(parts.get(i) / scale))));
        }
        return weighted;
    }

    private static long sum(Place place) {
        return place.members().stream().mapToLong(LocalityBalance::weight).sum();
    }

    private static long weight(Endpoint endpoint) {
        return Math.max(1, endpoint.weight());
    }

    private static long gcd(long a, long b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    /** Whether a place of a split is one that a locality lies in. */
    private static boolean covers(String place, Locality locality) {
        String[] parts = place.split("/", -1);
        List<String> own = List.of(locality.region(), locality.zone(), locality.subzone());
        for (int i = 0; i < parts.length && i < own.size(); i++) {
            if (parts[i].equals("*")) {
                return true;
            }
            if (!parts[i].equals(own.get(i))) {
                return false;
            }
        }
        return true;
    }
}
