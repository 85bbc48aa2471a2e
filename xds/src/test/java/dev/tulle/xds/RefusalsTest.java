package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What a client's refusal of a response says of each resource in it. */
class RefusalsTest {
    private final Refusals refusals = new Refusals(ResourceType.ROUTE.typeUrl());

    private Map<String, String> all() {
        return refusals.all().stream().collect(Collectors.toMap(Refusal::name, Refusal::reason));
    }

    @Test
    void aRefusalThatNamesResourcesIsAboutThoseOnly() {
        refusals.refused(Map.of("a:80", "1", "b:80", "1", "c:80", "1"), "a:80: bad regex: x; y; b:80: weight is 0");
        assertEquals(Map.of("a:80", "bad regex: x; y", "b:80", "weight is 0"), all());
    }

    @Test
    void aRefusalThatNamesNothingIsAboutAll() {
        refusals.refused(Map.of("a:80", "1", "b:80", "2"), "the maps are full");
        assertEquals(Map.of("a:80", "the maps are full", "b:80", "the maps are full"), all());
        refusals.refused(Map.of("a:80", "3"), "");
        assertEquals("refused without a reason", all().get("a:80"));
    }

    @Test
    void whatIsAcceptedLaterOrLeftOutOfALaterRefusalIsUsedAgain() {
        refusals.refused(Map.of("a:80", "1", "b:80", "1"), "no");
        refusals.accepted(Set.of("a:80"));
        assertEquals(Set.of("b:80"), all().keySet());
        refusals.refused(Map.of("b:80", "2", "c:80", "1"), "c:80: no");
        assertEquals(Set.of("c:80"), all().keySet());
        assertEquals(List.of("1"), refusals.all().stream().map(Refusal::version).toList());
        refusals.forget("c:80");
        assertEquals(List.of(), refusals.all());
    }
}
