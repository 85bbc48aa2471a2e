package dev.tulle.config;

import static dev.tulle.config.ApiEdge.gateway;
import static dev.tulle.config.ApiEdge.listener;
import static dev.tulle.config.ApiEdge.object;
import static dev.tulle.config.ApiEdge.route;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.config.ApiEdge.Asked;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Listeners that are added to a Gateway by objects of their own. */
class ApiListenerSetTest {
    private static String set(String metadata, String more, String... listeners) {
        return object(
                "ListenerSet",
                metadata,
                "parentRef: {name: front%s}, listeners: [%s]".formatted(more, String.join(", ", listeners)));
    }

    private static final String OF_SET = "{kind: ListenerSet, name: more}";

    @Test
    void aListenerSetAddsListenersThatHaveTheirOwnRoutes() {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("http", 80, "HTTP", "hostname: a.example.com")),
                set(
                        "name: more",
                        "",
                        listener("http", 80, "HTTP", "hostname: b.example.com"),
                        listener("x", 81, "HTTP", "")),
                route("name: ra", "{name: front}", "", "a"),
                route("name: rb", OF_SET, "", "b"),
                route("name: rc", "{name: front}, {kind: ListenerSet, name: more, sectionName: x}", "", "c"));
        assertEquals("a", edge.answer(80, Asked.of("a.example.com", "/")));
        assertEquals("b", edge.answer(80, Asked.of("b.example.com", "/")));
        assertEquals("b", edge.answer(81, Asked.of("x.org", "/")));
        assertEquals(List.of(), edge.warnings());
        assertEquals(
                List.of(1, 2),
                edge.status("ListenerSet", "more").listeners().stream()
                        .map(GatewayStatus.ListenerStatus::attachedRoutes)
                        .toList());
        assertEquals(
                2,
                edge.status(Kinds.API_GATEWAY, "front").listeners().getFirst().attachedRoutes());
    }

    @Test
    void theGatewaysOwnListenersComeBeforeThoseOfSetsAndOlderSetsBeforeNewer() {
        ApiEdge edge = new ApiEdge(
                gateway(
                        "name: front, creationTimestamp: '2026-03-01T00:00:00Z'",
                        listener("http", 80, "HTTP", "hostname: a.example.com")),
                set(
                        "name: old, creationTimestamp: '2026-01-01T00:00:00Z'",
                        "",
                        listener("a", 80, "HTTP", "hostname: a.example.com"),
                        listener("b", 80, "HTTP", "hostname: b.example.com"),
                        listener("c", 81, "TCP", "")),
                set(
                        "name: new, creationTimestamp: '2026-02-01T00:00:00Z'",
                        "",
                        listener("b", 80, "HTTP", "hostname: b.example.com"),
                        listener("c", 81, "HTTP", "")),
                route("name: r1", "{name: front}", "", "a"),
                route("name: r2", "{kind: ListenerSet, name: old}", "", "b"),
                route("name: r3", "{kind: ListenerSet, name: new}", "", "c"));
        assertEquals("a", edge.answer(80, Asked.of("a.example.com", "/")));
        assertEquals("b", edge.answer(80, Asked.of("b.example.com", "/")));
        assertEquals(List.of("TUL0110", "TUL0110", "TUL0110"), edge.warnings());
    }

    @ParameterizedTest
    @CsvSource({
        "default, Same, ''",
        "other, Same, NotAllowed TUL0121",
        "default, None, NotAllowed TUL0121",
        "other, All, ''",
    })
    void aGatewaySaysOfWhichNamespacesItTakesListenerSets(String namespace, String from, String refused) {
        ApiEdge edge = new ApiEdge(
                gateway("name: front", listener("http", 80, "HTTP", "")).replace("from: Same", "from: " + from),
                set("name: more, namespace: " + namespace, ", namespace: default", listener("x", 81, "HTTP", "")));
        assertEquals(refused.isEmpty() ? 2 : 1, edge.chains().size());
        assertEquals(refused.isEmpty() ? List.of() : List.of(refused.split(" ")[1]), edge.warnings());
    }

    @Test
    void aGatewayTakesNoListenerSetsUnlessItSaysSo() {
        ApiEdge edge = new ApiEdge(
                object(
                        "Gateway",
                        "name: front",
                        "gatewayClassName: tulle, listeners: [" + listener("h", 80, "HTTP", "") + "]"),
                set("name: more", "", listener("x", 81, "HTTP", "")),
                route("name: r", OF_SET, "", "a"));
        assertEquals(List.of("TUL0121", "TUL0120"), edge.warnings());
        assertEquals(
                Optional.of("NotAllowed"),
                edge.status("ListenerSet", "more").conditions().stream()
                        .map(GatewayStatus.Condition::reason)
                        .findFirst());
    }
}
