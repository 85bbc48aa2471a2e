package dev.tulle.agent.datapath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.datapath.HttpStructs.OutcomesValue;
import dev.tulle.agent.datapath.HttpStructs.StatKey;
import dev.tulle.agent.datapath.HttpStructs.StatValue;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.TypedMap;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Goal: each endpoint has one record of failures, whoever wrote it. Method: the real maps. Needs root. */
class HttpOutcomesTest {
    private static final int PLACES = 16_384;
    private static final SockAddr ONE = new SockAddr(MeshNetwork.address("100.80.3.10"), 9080);

    private BpfObject object;

    @BeforeEach
    void load() {
        object = BpfObject.open(Path.of("../bpf/build/tulle.bpf.o"));
        object.load();
    }

    @AfterEach
    void close() {
        object.close();
    }

    private TypedMap<Integer, OutcomesValue> records() {
        BpfMap map = object.map("tulle_http_outcomes");
        return map.typed(MapCodec.u32(), HttpStructs.codec(OutcomesValue.class, map.valueLayout()));
    }

    private OutcomesValue record(int place) {
        return Objects.requireNonNull(records().get(place));
    }

    @Test
    void numbersOfPoolsAvoidThePlacesOfOthers() {
        HttpOutcomes outcomes = new HttpOutcomes(object);
        outcomes.begin(PLACES + 5);
        outcomes.begin(PLACES + 6);
        assertEquals(2 * PLACES + 7, outcomes.after(2 * PLACES + 4));
        assertEquals(PLACES + 7, outcomes.after(PLACES + 6));
        outcomes.end(PLACES + 5);
        assertEquals(2 * PLACES + 5, outcomes.after(2 * PLACES + 4));
        assertEquals(new OutcomesValue(PLACES + 6, 0, 0, 0), record(6));
    }

    @Test
    void countsOfAnEarlierAgentStayAndThoseOfAFormerPoolGo() {
        records().put(5, new OutcomesValue(5, 3, 2, 1));
        records().put(6, new OutcomesValue(6, 3, 2, 1));
        HttpOutcomes outcomes = new HttpOutcomes(object);
        outcomes.adopt(List.of(5, PLACES + 6));
        assertEquals(new OutcomesValue(5, 3, 2, 1), record(5));
        assertEquals(new OutcomesValue(PLACES + 6, 0, 0, 0), record(6));
    }

    @Test
    void seriesAndSumsOfAnEndpoint() {
        BpfMap map = object.map("tulle_http_stats");
        var stats = map.perCpu(
                HttpStructs.codec(StatKey.class, map.keyLayout()),
                HttpStructs.codec(StatValue.class, map.valueLayout()));
        HttpStructs.Buckets none = new HttpStructs.Buckets(Collections.nCopies(HttpStructs.Buckets.COUNT, 0L));
        StatValue seven = new StatValue(7, 0, 0, 0, none);
        stats.put(new StatKey(1, 11, 10, 5, 200), List.of(seven));
        stats.put(new StatKey(1, 12, 10, 5, 404), List.of(seven));
        stats.put(new StatKey(1, 11, 10, 5, 503), List.of(seven));
        stats.put(new StatKey(1, 11, 10, 6, 503), List.of(seven));
        records().put(5, new OutcomesValue(5, 3, 2, 1));
        HttpOutcomes outcomes = new HttpOutcomes(object);
        outcomes.adopt(List.of(5));
        List<HttpOutcome> found = outcomes.read(Map.of(ONE, 5), new HttpStats(object).byPool());
        assertEquals(List.of(new HttpOutcome("100.80.3.10", 9080, 3, 2, 1, 14, 7)), found);
        assertTrue(outcomes.read(Map.of(ONE, 77), Map.of()).isEmpty());
    }
}
