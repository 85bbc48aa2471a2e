package dev.tulle.agent.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointBalancer;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Locality;
import dev.tulle.model.Maglev;
import dev.tulle.model.WeightedCluster;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Slots give each endpoint its share, and what the kernel cannot do as the proxy would goes to the proxy. */
class SlotPlanTest {
    private static Endpoint endpoint(String address, int weight, boolean healthy) {
        return new Endpoint(address, 9080, weight, healthy, address, "default");
    }

    private static Optional<List<Endpoint>> expand(List<WeightedCluster> clusters, Map<String, EndpointSet> endpoints) {
        return SlotPlan.expand(clusters, endpoints, EndpointChoice.Kind.RANDOM);
    }

    private static Map<String, Integer> shares(Optional<List<Endpoint>> slots) {
        Map<String, Integer> shares = new TreeMap<>();
        slots.orElseThrow().forEach(endpoint -> shares.merge(endpoint.address(), 1, Integer::sum));
        return shares;
    }

    private static Map<String, EndpointSet> sets(Object... pairs) {
        Map<String, EndpointSet> sets = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            List<Endpoint> endpoints = new ArrayList<>();
            for (Object one : (List<?>) pairs[i + 1]) {
                endpoints.add((Endpoint) one);
            }
            sets.put((String) pairs[i], new EndpointSet((String) pairs[i], endpoints));
        }
        return sets;
    }

    @Test
    void equalEndpointsGetOneSlotEach() {
        assertEquals(
                Map.of("1.1.1.1", 1, "1.1.1.2", 1),
                shares(expand(
                        List.of(new WeightedCluster("a", 100)),
                        sets("a", List.of(endpoint("1.1.1.1", 1, true), endpoint("1.1.1.2", 1, true))))));
    }

    @Test
    void weightsOfClustersAndEndpointsMultiply() {
        // Cluster a has 3 of 4; inside, 1 and 2 of 3: 1/4, 2/4; cluster b: 1/4.
        assertEquals(
                Map.of("1.1.1.1", 1, "1.1.1.2", 2, "2.2.2.2", 1),
                shares(expand(
                        List.of(
                                new WeightedCluster("a", 75),
                                new WeightedCluster("b", 25),
                                new WeightedCluster("c", 0)),
                        sets(
                                "a",
                                List.of(endpoint("1.1.1.1", 1, true), endpoint("1.1.1.2", 2, true)),
                                "b",
                                List.of(endpoint("2.2.2.2", 7, true))))));
    }

    @Test
    void sharesThatDoNotFitAreRoundedAndNobodyIsLost() {
        Map<String, Integer> shares = shares(expand(
                List.of(new WeightedCluster("a", 9999), new WeightedCluster("b", 1)),
                sets("a", List.of(endpoint("1.1.1.1", 1, true)), "b", List.of(endpoint("2.2.2.2", 1, true)))));
        assertEquals(1, shares.get("2.2.2.2"));
        assertTrue(shares.getOrDefault("1.1.1.1", 0) >= SlotPlan.SLOTS_MAX - 1, shares.toString());
    }

    @Test
    void unhealthyEndpointsCountOnlyWhenNoneIsHealthy() {
        assertEquals(
                Map.of("1.1.1.2", 1),
                shares(expand(
                        List.of(new WeightedCluster("a", 1)),
                        sets("a", List.of(endpoint("1.1.1.1", 1, false), endpoint("1.1.1.2", 1, true))))));
        assertEquals(
                Map.of("1.1.1.1", 1),
                shares(expand(
                        List.of(new WeightedCluster("a", 1)), sets("a", List.of(endpoint("1.1.1.1", 1, false))))));
    }

    private static Endpoint ranked(String address, boolean healthy, int priority) {
        return new Endpoint(address, 9080, 1, healthy, address, "default", Locality.NONE, priority);
    }

    @Test
    void aWorsePriorityCountsOnlyWhenNoBetterOneHasAHealthyEndpoint() {
        List<WeightedCluster> one = List.of(new WeightedCluster("a", 1));
        Endpoint far = ranked("2.2.2.2", true, 2);
        Endpoint near = ranked("1.1.1.1", true, 0);
        Endpoint sick = ranked("1.1.1.2", false, 0);
        for (EndpointChoice.Kind kind : EndpointChoice.Kind.values()) {
            assertEquals(
                    Set.of("1.1.1.1"),
                    shares(SlotPlan.expand(one, sets("a", List.of(far, sick, near)), kind))
                            .keySet());
            assertEquals(
                    Set.of("2.2.2.2"),
                    shares(SlotPlan.expand(one, sets("a", List.of(sick, far)), kind))
                            .keySet());
        }
    }

    @Test
    void aShareWithoutEndpointsIsTheProxysAndNoEndpointAtAllIsRefused() {
        List<WeightedCluster> split = List.of(new WeightedCluster("a", 1), new WeightedCluster("b", 1));
        assertTrue(expand(split, sets("a", List.of(endpoint("1.1.1.1", 1, true)), "b", List.of()))
                .isEmpty());
        assertEquals(Optional.of(List.of()), expand(split, Map.of()));
        List<Endpoint> many = new ArrayList<>();
        for (int i = 0; i <= SlotPlan.SLOTS_MAX; i++) {
            many.add(endpoint("10.0." + (i >> 8) + "." + (i & 255), 1, true));
        }
        assertTrue(expand(List.of(new WeightedCluster("a", 1)), sets("a", many)).isEmpty());
    }

    @Test
    void hashedCallersKeepTheirEndpointWhenAnotherGoes() {
        List<Endpoint> three =
                List.of(endpoint("1.1.1.1", 1, true), endpoint("1.1.1.2", 2, true), endpoint("1.1.1.3", 1, true));
        List<WeightedCluster> split = List.of(new WeightedCluster("a", 1));
        List<Endpoint> before = SlotPlan.expand(split, sets("a", three), EndpointChoice.Kind.SOURCE_HASH)
                .orElseThrow();
        List<Endpoint> after = SlotPlan.expand(
                        split, sets("a", List.of(three.get(1), three.get(0))), EndpointChoice.Kind.STICKY)
                .orElseThrow();
        Map<String, Integer> shares = shares(Optional.of(before));
        assertEquals(251, before.size());
        assertEquals(251 / 2.0, shares.getOrDefault("1.1.1.2", 0), 4, shares.toString());
        assertEquals(before.size(), after.size());
        int moved = 0;
        for (int i = 0; i < before.size(); i++) {
            moved += before.get(i).equals(three.get(2)) || before.get(i).equals(after.get(i)) ? 0 : 1;
        }
        assertTrue(moved < before.size() / 8, moved + " of " + before.size() + " callers moved for no reason");
    }

    @Test
    void aCallerMeetsTheSameEndpointOnBothPaths() {
        Random random = new Random(7);
        for (int round = 0; round < 50; round++) {
            List<Endpoint> endpoints = new ArrayList<>();
            for (int i = random.nextInt(1, 9); i > 0; i--) {
                endpoints.add(new Endpoint(
                        "100.64.0." + (10 + i),
                        9080,
                        random.nextInt(1, 8),
                        random.nextInt(4) > 0,
                        "w",
                        "default",
                        Locality.NONE,
                        random.nextInt(3)));
            }
            List<Endpoint> slots = SlotPlan.expand(
                            List.of(new WeightedCluster("a", random.nextInt(1, 100))),
                            sets("a", endpoints),
                            EndpointChoice.Kind.SOURCE_HASH)
                    .orElseThrow();
            EndpointBalancer proxy = EndpointBalancer.of(Cluster.Balancing.SOURCE_HASH, endpoints);
            for (int i = 0; i < 500; i++) {
                int caller = random.nextInt();
                // The kernel takes the slot of the hash modulo their number.
                assertEquals(
                        slots.get(Maglev.slot(caller, slots.size())),
                        endpoints.get(proxy.pickFor(caller, _ -> 0, random)),
                        () -> "caller " + caller + " of " + endpoints);
            }
        }
    }

    @Test
    void turnsOfAHeavyEndpointAreSpread() {
        List<Endpoint> slots = SlotPlan.expand(
                        List.of(new WeightedCluster("a", 1)),
                        sets("a", List.of(endpoint("1.1.1.1", 3, true), endpoint("1.1.1.2", 2, true))),
                        EndpointChoice.Kind.ROUND_ROBIN)
                .orElseThrow();
        assertEquals(
                List.of("1.1.1.1", "1.1.1.2", "1.1.1.1", "1.1.1.2", "1.1.1.1"),
                slots.stream().map(Endpoint::address).toList());
    }
}
