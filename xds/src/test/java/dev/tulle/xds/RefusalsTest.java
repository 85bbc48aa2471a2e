package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.xds.proto.envoy.config.core.v3.Node;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
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

    @Test
    void aReasonIsOneShortLine() {
        refusals.refused(Map.of("a:80", "1"), "a:80: first\nWARNING forged line " + "x".repeat(20_000));
        String kept = String.valueOf(all().get("a:80"));
        assertEquals("first?WARNING forged line xx", kept.substring(0, 28));
        assertEquals(501, kept.length());

        AtomicLong nanos = new AtomicLong();
        RefusalLog log = new RefusalLog(nanos::get);
        NodeIdentity node = NodeIdentity.of(Node.newBuilder()
                .setId("n1\nforged")
                .setCluster("p".repeat(9_000))
                .build());
        String line = log.line(node, ResourceType.ROUTE.typeUrl(), "no\u2028forged");
        assertEquals("p".repeat(253) + "… n1?forged refuses a rds response: no?forged", line);
        assertEquals("", log.line(node, ResourceType.ROUTE.typeUrl(), "no"));
        nanos.addAndGet(RefusalLog.INTERVAL.toNanos());
        assertTrue(log.line(node, ResourceType.ROUTE.typeUrl(), "no").endsWith("(and 1 more since the last line)"));
    }

    @Test
    void whatOurOwnClientRefusesFitsIntoARequest() {
        List<String> problems = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            problems.add("service-" + i + ".example:80: expected something else");
        }
        String sentence = WatchedType.sentence(problems);
        assertTrue(sentence.length() < RequestLimits.MAX_FIELD_BYTES / 4, sentence);
        // Nobody takes it for one about the first resource alone.
        refusals.refused(Map.of("service-0.example:80", "1", "service-1.example:80", "1"), sentence);
        assertEquals(Set.of("service-0.example:80", "service-1.example:80"), all().keySet());
        assertEquals("a: b; c: d", WatchedType.sentence(List.of("a: b", "c: d")));
    }
}
