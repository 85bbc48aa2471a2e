package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.LocalityPreference.Nearest;
import dev.tulle.model.LocalityPreference.Share;
import dev.tulle.model.LocalityPreference.Split;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Goal: where a caller is decides which endpoints it gets, and how many of its calls each gets, in Istio's way. Method: a
 * table of places with their ranks, shares computed by hand, and generated meshes in which the rules are checked one by one.
 */
class LocalityBalanceTest {
    private static final Nearest NEAREST = new Nearest(Map.of());

    private static Endpoint at(String place, int weight, boolean healthy) {
        return new Endpoint(place + "#" + weight, 80, weight, healthy, "", "").in(Locality.parse(place));
    }

    private static EndpointSet set(LocalityPreference preference, Endpoint... endpoints) {
        return new EndpointSet("c", List.of(endpoints), preference);
    }

    private static List<Endpoint> seen(String client, EndpointSet set) {
        EndpointSet seen = LocalityBalance.seenFrom(Locality.parse(client), set);
        assertEquals(LocalityPreference.ANYWHERE, seen.preference());
        assertEquals("c", seen.cluster());
        return seen.endpoints();
    }

    /** Priorities of endpoints in all of these places, for a client in one. */
    @ParameterizedTest
    @CsvSource({
        // client, failover, r/z/s, r/z/t, r/z, r/y/s, q/z/s, p, nowhere
        "r/z/s, '', 0 1 1 2 3 3 3",
        "r/z,   '', 1 1 0 2 3 3 3",
        "r,     '', 0 0 0 0 1 1 1",
        "q/z/s, '', 1 1 1 1 0 1 1",
        "x,     '', 0 0 0 0 0 0 0",
        "'',    '', 0 0 0 0 0 0 0",
        "r/z/s, q,  0 1 1 2 3 4 4",
        "r/z/s, p,  0 1 1 2 4 3 4",
        "r/z/s, x,  0 1 1 2 3 3 3",
        "q/z/s, p,  1 1 1 1 0 1 1",
    })
    void theNearestComeFirst(String client, String failover, String priorities) {
        Nearest preference = new Nearest(failover.isEmpty() ? Map.of() : Map.of("r", failover));
        List<Endpoint> seen = seen(
                client,
                set(
                        preference,
                        at("r/z/s", 1, true),
                        at("r/z/t", 1, true),
                        at("r/z", 1, true),
                        at("r/y/s", 1, true),
                        at("q/z/s", 1, true),
                        at("p", 1, true),
                        at("", 1, true)));
        assertEquals(
                priorities,
                seen.stream().map(e -> Integer.toString(e.priority())).collect(Collectors.joining(" ")));
    }

    @Test
    void withoutAPreferenceNothingChanges() {
        EndpointSet plain = set(LocalityPreference.ANYWHERE, at("r/z", 3, true), at("q", 1, false));
        assertEquals(plain.endpoints(), seen("r/z", plain));
    }

    @Test
    void theNextPriorityServesWhenTheBestHasNoHealthyEndpoint() {
        Endpoint near = at("r/z", 1, true);
        Endpoint nearSick = at("r/z", 2, false);
        Endpoint far = at("q", 1, true);
        Endpoint farSick = at("q", 2, false);
        assertEquals(List.of(near.withPriority(0)), Candidates.of(seen("r/z", set(NEAREST, far, nearSick, near))));
        assertEquals(List.of(far.withPriority(1)), Candidates.of(seen("r/z", set(NEAREST, far, farSick, nearSick))));
        assertEquals(List.of(far), Candidates.of(seen("r/z", set(NEAREST, far))));
        assertEquals(List.of(nearSick), Candidates.of(seen("r/z", set(NEAREST, farSick, nearSick))));
        assertEquals(List.of(), Candidates.of(List.of()));
        EndpointBalancer balancer =
                EndpointBalancer.of(Cluster.Balancing.LEAST_REQUEST, seen("r/z", set(NEAREST, far, nearSick, near)));
        assertEquals(2, balancer.pick(i -> 1000, new Random(1)));
        assertEquals(1, balancer.size());
    }

    private static Split split(String... fromToWeight) {
        List<Share> shares = new ArrayList<>();
        for (int i = 0; i < fromToWeight.length; i += 2) {
            Map<String, Integer> to = new LinkedHashMap<>();
            for (String one : fromToWeight[i + 1].split(" ", -1)) {
                to.put(one.substring(0, one.indexOf('=')), Integer.parseInt(one.substring(one.indexOf('=') + 1)));
            }
            shares.add(new Share(fromToWeight[i], to));
        }
        return new Split(shares);
    }

    private static String weights(List<Endpoint> endpoints) {
        return endpoints.stream().map(e -> e.address() + "=" + e.weight()).collect(Collectors.joining(" "));
    }

    @Test
    void aSplitGivesEachPlaceItsShare() {
        Split split = split("r/z/*", "r/z/*=80 r/y=20", "q", "*=100");
        Endpoint z1 = at("r/z/s", 1, true);
        Endpoint z2 = at("r/z", 2, true);
        Endpoint y = at("r/y", 5, true);
        Endpoint p = at("p", 1, true);
        // 80 % over weights 1 and 2, 20 % for the one of the other zone, whatever its own weight.
        assertEquals("r/z/s#1=4 r/z#2=8 r/y#5=3", weights(seen("r/z/s", set(split, p, z1, y, z2))));
        assertEquals("p#1=1 r/z/s#1=1 r/y#5=5", weights(seen("q/a", set(split, p, z1, y))), "the sums stay");
        assertEquals(List.of(p, z1), seen("x", set(split, p, z1)), "no share is about this client");
        assertEquals("r/z/s#1=1", weights(seen("r/z", set(split, p, z1))), "the only place with endpoints gets all");
        assertEquals(List.of(), seen("r/z", set(split, p)), "a place that is not named gets nothing");
    }

    @Test
    void whatIsNotReadyHasNoPartInASplit() {
        Split split = split("*", "r=50 q=50");
        List<Endpoint> seen =
                seen("", set(split, at("r", 1, true), at("r", 2, true), at("r", 9, false), at("q", 1, true)));
        assertEquals("r#1=1 r#2=2 q#1=3", weights(Candidates.of(seen)));
        assertEquals(4, seen.size());
        List<Endpoint> sick = seen("", set(split, at("r", 1, false), at("q", 3, false)));
        assertEquals("r#1=1 q#3=1", weights(Candidates.of(sick)), "better a try than a sure failure");
    }

    @Test
    void generatedMeshesKeepTheRules() {
        Random random = new Random(20260704);
        String[] places = {"", "r", "r/z", "r/z/s", "r/y", "q", "q/z", "p/z/s"};
        for (int round = 0; round < 2_000; round++) {
            List<Endpoint> endpoints = new ArrayList<>();
            for (int i = random.nextInt(12); i > 0; i--) {
                endpoints.add(
                        new Endpoint("10.0.0." + i, 80, 1 + random.nextInt(1_000_000), random.nextBoolean(), "", "")
                                .in(Locality.parse(places[random.nextInt(places.length)])));
            }
            Locality client = Locality.parse(places[random.nextInt(places.length)]);
            List<Endpoint> nearest = LocalityBalance.seenFrom(client, new EndpointSet("c", endpoints, NEAREST))
                    .endpoints();
            TreeSet<Integer> priorities =
                    nearest.stream().map(Endpoint::priority).collect(Collectors.toCollection(TreeSet::new));
            assertEquals(endpoints.size(), nearest.size());
            assertEquals(Math.max(0, priorities.size() - 1), priorities.isEmpty() ? 0 : priorities.last(), "no gaps");
            List<Endpoint> candidates = Candidates.of(nearest);
            assertEquals(endpoints.isEmpty(), candidates.isEmpty());
            for (Endpoint better : nearest) {
                assertFalse(
                        better.healthy()
                                && !candidates.isEmpty()
                                && better.priority() < candidates.getFirst().priority(),
                        () -> better + " is passed over for " + candidates);
            }

            Split split = split("*", "r/*=60 q/z=30 *=10");
            List<Endpoint> spread = LocalityBalance.seenFrom(client, new EndpointSet("c", endpoints, split))
                    .endpoints();
            assertTrue(spread.stream().allMatch(e -> e.weight() >= 1));
            shares(Candidates.of(spread));
        }
    }

    /** Checks the shares of places as far as rounding to whole weights allows. */
    private static void shares(List<Endpoint> taking) {
        Map<Integer, Double> byPlace = new HashMap<>();
        double total = taking.stream().mapToInt(Endpoint::weight).sum();
        for (Endpoint endpoint : taking) {
            String region = endpoint.locality().region();
            int share = region.equals("r")
                    ? 60
                    : region.equals("q") && endpoint.locality().zone().equals("z") ? 30 : 10;
            byPlace.merge(share, endpoint.weight() / total, Double::sum);
        }
        int sum = byPlace.keySet().stream().mapToInt(Integer::intValue).sum();
        byPlace.forEach((share, part) -> assertEquals((double) share / sum, part, 0.01, taking::toString));
    }

    @Test
    void localitiesAreWrittenAsTheyAreRead() {
        for (String text : List.of("", "r", "r/z", "eu-west.1/z_1/s-2")) {
            assertEquals(text, Locality.parse(text).toString());
        }
        for (String text : List.of("/", "r//s", "r/z/s/t", "r/*", "r z", "r/", "-r")) {
            assertThrows(IllegalArgumentException.class, () -> Locality.parse(text), text);
        }
        Locality node = Locality.parse("n");
        assertEquals(node, Locality.of(Map.of(), node));
        assertEquals(Locality.parse("r/z/s"), Locality.of(Map.of(Locality.LABEL, "r.z.s"), node));
        assertEquals(Locality.parse("r.1/z"), Locality.of(Map.of(Locality.LABEL, "r.1/z"), node));
        assertThrows(IllegalArgumentException.class, () -> Locality.of(Map.of(Locality.LABEL, "a.b.c.d"), node));
    }
}
