package dev.tulle.agent.datapath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.datapath.HttpStructs.HttpServiceValue;
import dev.tulle.agent.datapath.HttpStructs.PoolKey;
import dev.tulle.agent.datapath.HttpStructs.SourceKey;
import dev.tulle.agent.datapath.HttpStructs.TableValue;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.http.HttpWhen;
import dev.tulle.common.LoopNumber;
import dev.tulle.common.Reason;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.TypedMap;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Goal: the kernel's tables are what is wanted, whole at every moment. Method: the real maps, without programs attached. */
class HttpMapsTest {
    private static final InetAddress ONE = MeshNetwork.address("100.80.3.10");
    private static final InetAddress TWO = MeshNetwork.address("100.80.3.11");
    private static final Map<InetAddress, Integer> WORKLOADS = Map.of(ONE, 10, TWO, 11);

    private BpfObject object;
    private long now = 1_000_000_000L;

    @BeforeEach
    void load() {
        object = BpfObject.open(Path.of("../bpf/build/tulle.bpf.o"));
        object.load();
    }

    @AfterEach
    void close() {
        object.close();
    }

    private HttpMaps maps(int first) {
        return new HttpMaps(object, first, process -> process == 77, () -> now);
    }

    static HttpTable table(String path, String... addresses) {
        HttpTable.ClusterPart part = new HttpTable.ClusterPart(
                "c",
                List.of(addresses).stream()
                        .map(address -> new HttpTable.Member(address, 9080))
                        .toList(),
                true);
        HttpWhen when = new HttpWhen(
                HttpWhen.PathKind.SEGMENT,
                path,
                3,
                List.of(new HttpWhen.Field("host", false, "reviews", false), new HttpWhen.Field("x", true, "", true)));
        return new HttpTable(
                List.of(
                        new HttpTable.Route(
                                "a",
                                when,
                                List.of(new HttpTable.Share(2, 0), new HttpTable.Share(3, 0)),
                                HttpTable.KEEP_5XX | HttpTable.KEEP_BODY,
                                1500,
                                Reason.NONE,
                                ""),
                        new HttpTable.Route("b", HttpWhen.ANY, List.of(), 0, 0, Reason.NEEDS_FAULT, "fault")),
                List.of(new HttpTable.Rule(HttpWhen.ANY, true, "p")),
                true,
                Map.of(),
                List.of(part),
                1 << 16);
    }

    private static HttpMaps.Serving serving(HttpTable table) {
        return new HttpMaps.Serving(table, Map.of(10, 1));
    }

    private TypedMap<Integer, TableValue> tables() {
        BpfMap map = object.map("tulle_http_tables");
        return map.typed(MapCodec.u32(), HttpStructs.codec(TableValue.class, map.valueLayout()));
    }

    private TypedMap<Integer, HttpServiceValue> services() {
        BpfMap map = object.map("tulle_http_services");
        return map.typed(MapCodec.u32(), HttpStructs.codec(HttpServiceValue.class, map.valueLayout()));
    }

    private Map<SockAddr, Integer> endpoints() {
        BpfMap map = object.map("tulle_http_endpoints");
        return map.typed(HttpStructs.codec(SockAddr.class, map.keyLayout()), MapCodec.u32())
                .snapshot();
    }

    private Map<SourceKey, Integer> sources() {
        BpfMap map = object.map("tulle_http_sources");
        return map.typed(HttpStructs.codec(SourceKey.class, map.keyLayout()), MapCodec.u32())
                .snapshot();
    }

    @Test
    void aTableIsWrittenFieldByField() {
        HttpMaps maps = maps(100);
        maps.reconcile(
                Map.of(7, serving(table("/a", "100.80.3.10", "100.80.3.11", "100.80.3.11"))), Set.of(), WORKLOADS);
        assertEquals(Map.of(7, new HttpServiceValue(101)), services().snapshot());
        TableValue table = Objects.requireNonNull(tables().get(101));
        assertEquals(101, table.number());
        assertEquals(7, table.service());
        assertEquals(2, table.routes());
        assertEquals(1, table.rules());
        assertEquals(2, table.names());
        assertEquals(1, table.anyAllow());
        assertEquals(1 << 16, table.bodyMax());
        assertEquals("host", table.name().get(0).word().text());
        assertEquals(4, table.name().get(0).length());
        HttpStructs.RouteValue route = table.route().get(0);
        assertEquals("/a", route.when().path().text());
        assertEquals(2, route.when().mask().length());
        assertEquals(3, route.when().methods());
        assertEquals(3, route.when().pathKind());
        assertEquals(
                List.of("reviews", ""),
                route.when().field().stream().map(f -> f.value().text()).toList());
        assertEquals(
                List.of((byte) 1, (byte) 2),
                route.when().field().stream().map(HttpStructs.FieldValue::op).toList());
        assertEquals(1, route.action());
        assertEquals(5, route.weight());
        assertEquals(1500, route.timeoutMs());
        assertEquals(0x81, route.keep());
        assertEquals(0, table.route().get(1).action());
        assertEquals(
                List.of(2, 5, 0),
                table.share().stream()
                        .limit(3)
                        .map(HttpStructs.ShareValue::until)
                        .toList());
        assertEquals(new HttpStructs.ClusterValue(0, 3, 1), table.cluster().getFirst());
        Map<SockAddr, Integer> endpoints = endpoints();
        assertEquals(2, endpoints.size());
        int pool = Objects.requireNonNull(endpoints.get(new SockAddr(TWO, 9080)));
        assertEquals(new HttpStructs.MemberValue(pool, 11), table.member().get(2));
        assertEquals(Map.of(new SourceKey(101, 10), 1), sources());
        assertFalse(maps.lingers());
    }

    @Test
    void aChangeIsANewTableAndTheOldOneLingers() {
        HttpMaps maps = maps(100);
        maps.reconcile(Map.of(7, serving(table("/a", "100.80.3.10"))), Set.of(), WORKLOADS);
        maps.reconcile(Map.of(7, serving(table("/a", "100.80.3.10"))), Set.of(), WORKLOADS);
        assertEquals(101, maps.tableOf(7), "what holds is not written again");
        maps.reconcile(Map.of(7, serving(table("/a", "100.80.3.11"))), Set.of(), WORKLOADS);
        assertEquals(102, maps.tableOf(7));
        assertEquals(Map.of(7, new HttpServiceValue(102)), services().snapshot());
        assertEquals(Set.of(101, 102), tables().snapshot().keySet());
        assertEquals(2, endpoints().size(), "the old table's endpoint is still named by it");
        assertTrue(maps.lingers());
        now += HttpMaps.LINGER.toNanos();
        maps.reconcile(Map.of(7, serving(table("/a", "100.80.3.11"))), Set.of(), WORKLOADS);
        assertEquals(Set.of(102), tables().snapshot().keySet());
        assertEquals(Set.of(new SockAddr(TWO, 9080)), endpoints().keySet());
        assertEquals(Set.of(new SourceKey(102, 10)), sources().keySet());
        assertFalse(maps.lingers());
        maps.reconcile(Map.of(), Set.of(), WORKLOADS);
        assertEquals(Map.of(), services().snapshot());
        now += HttpMaps.LINGER.toNanos();
        maps.reconcile(Map.of(), Set.of(), WORKLOADS);
        assertEquals(Map.of(), tables().snapshot());
        assertEquals(Map.of(), endpoints());
        assertEquals(Map.of(), sources());
    }

    @Test
    void aNewAgentGoesOnWithWhatItFinds() {
        HttpMaps first = maps(100);
        first.reconcile(Map.of(7, serving(table("/a", "100.80.3.10"))), Set.of(), WORKLOADS);
        first.reconcile(Map.of(7, serving(table("/b", "100.80.3.10"))), Set.of(), WORKLOADS);
        Map<SockAddr, Integer> pools = endpoints();
        HttpMaps next = maps(50);
        assertEquals(102, next.tableOf(7));
        // Not known yet: it stays as it is.
        next.reconcile(Map.of(), Set.of(7), WORKLOADS);
        assertEquals(Map.of(7, new HttpServiceValue(102)), services().snapshot());
        next.reconcile(Map.of(7, serving(table("/b", "100.80.3.10"))), Set.of(), WORKLOADS);
        assertEquals(102, next.tableOf(7));
        assertEquals(pools, endpoints());
        assertTrue(next.lingers(), "what the first one left behind");
        now += HttpMaps.LINGER.toNanos();
        next.reconcile(Map.of(7, serving(table("/c", "100.80.3.10"))), Set.of(), WORKLOADS);
        assertEquals(103, next.tableOf(7));
        assertNull(tables().get(101));
        assertNotEquals(null, tables().get(102));
    }

    @Test
    void poolsGoWithTheirEndpointOrWithTheProcessOfTheirLoop() {
        HttpMaps maps = maps(100);
        Map<Integer, HttpMaps.Serving> wanted = Map.of(7, serving(table("/a", "100.80.3.10")));
        maps.reconcile(wanted, Set.of(), WORKLOADS);
        int pool = Objects.requireNonNull(endpoints().get(new SockAddr(ONE, 9080)));
        BpfMap map = object.map("tulle_http_pools");
        TypedMap<PoolKey, byte[]> pools = map.typed(
                HttpStructs.codec(PoolKey.class, map.keyLayout()),
                MapCodec.bytes(map.spec().valueSize()));
        byte[] empty = new byte[map.spec().valueSize()];
        PoolKey used = new PoolKey(pool, LoopNumber.of(77, 1));
        PoolKey nobodys = new PoolKey(pool, 5);
        for (PoolKey key : List.of(
                used,
                nobodys,
                new PoolKey(pool, LoopNumber.of(78, 0)),
                new PoolKey(pool, LoopNumber.of(4_194_303, 1023)),
                new PoolKey(pool + 1000, LoopNumber.of(77, 1)))) {
            pools.put(key, empty);
        }
        // A service that is not known yet keeps its pools, but not those of a proxy that has gone.
        maps.reconcile(wanted, Set.of(9), WORKLOADS);
        assertEquals(
                Set.of(used, nobodys, new PoolKey(pool + 1000, LoopNumber.of(77, 1))),
                pools.snapshot().keySet());
        maps.reconcile(wanted, Set.of(), WORKLOADS);
        assertEquals(Set.of(used, nobodys), pools.snapshot().keySet());
    }

    @Test
    void sourcesAreKnownBeforeTheWorkloadIs() {
        HttpMaps maps = maps(100);
        maps.reconcile(Map.of(7, serving(table("/a", "100.80.3.10"))), Set.of(), WORKLOADS);
        HttpMaps.Serving more = new HttpMaps.Serving(table("/a", "100.80.3.10"), Map.of(11, 3));
        maps.announce(Map.of(7, more));
        assertEquals(Map.of(new SourceKey(101, 10), 1, new SourceKey(101, 11), 3), sources());
        maps.reconcile(Map.of(7, more), Set.of(), WORKLOADS);
        assertEquals(Map.of(new SourceKey(101, 11), 3), sources());
    }
}
