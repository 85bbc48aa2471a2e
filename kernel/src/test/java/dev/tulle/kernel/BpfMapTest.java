package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Goal: maps of every kind that the mesh uses, through codecs, singly and in batches. Method: a really loaded object. */
class BpfMapTest {
    record Workload(int id, byte role, InetAddress addr4, InetAddress addr6) {}

    record ServiceKey(InetAddress vip, int port, int proto) {}

    private static BpfObject object;

    @BeforeAll
    static void load() {
        object = BpfObject.open(TestObjects.sample());
        LoadReport report = object.load();
        assertEquals(List.of(), report.refused());
    }

    @AfterAll
    static void close() {
        object.close();
    }

    private static TypedMap<Long, Workload> workloads() {
        BpfMap map = object.map("workloads");
        return map.typed(
                MapCodec.u64(),
                RecordCodec.of(MethodHandles.lookup(), Workload.class, map.valueLayout(), FieldCodec.address()));
    }

    private static Workload workload(int id) throws Exception {
        return new Workload(
                id,
                (byte) 1,
                InetAddress.getByAddress(new byte[] {100, 64, (byte) (id >> 8), (byte) id}),
                InetAddress.ofLiteral("fd74:756c:6c65::100.64.3." + (id & 0xff)));
    }

    @Test
    void recordsSurviveTheKernel() throws Exception {
        TypedMap<Long, Workload> map = workloads();
        Workload one = workload(10);
        assertNull(map.get(1L));
        assertTrue(map.putNew(1L, one));
        assertFalse(map.putNew(1L, workload(11)));
        assertEquals(one, map.get(1L));
        assertTrue(map.replace(1L, workload(12)));
        assertFalse(map.replace(2L, one));
        assertEquals(workload(12), map.get(1L));
        map.put(2L, one);
        assertEquals(Map.of(1L, workload(12), 2L, one), map.snapshot());
        assertTrue(map.delete(1L));
        assertFalse(map.delete(1L));
        assertEquals(List.of(2L), map.keys());
        assertTrue(map.delete(2L));
    }

    /** Sixteen bytes that C keeps as two words. */
    record Pattern(String text) {}

    record Share(int until, int cluster) {}

    record Route(Pattern path, List<Share> share, byte action) {}

    record Table(int number, int routes, List<Route> route) {}

    @Test
    void arraysOfStructsAreLists() {
        FieldCodec<Pattern> pattern = new FieldCodec<>(
                Pattern.class,
                16,
                p -> java.util.Arrays.copyOf(p.text().getBytes(java.nio.charset.StandardCharsets.US_ASCII), 16),
                bytes -> new Pattern(new String(bytes, java.nio.charset.StandardCharsets.US_ASCII).replace("\0", "")));
        BpfMap map = object.map("tables");
        RecordCodec<Table> codec = RecordCodec.of(MethodHandles.lookup(), Table.class, map.valueLayout(), pattern);
        TypedMap<Integer, Table> tables = map.typed(MapCodec.u32(), codec);
        Route first = new Route(new Pattern("/a"), List.of(new Share(3, 1), new Share(9, 2)), (byte) 1);
        Route second = new Route(new Pattern("/sixteen-bytes-b"), List.of(new Share(1, 7)), (byte) 0);
        tables.put(5, new Table(5, 2, List.of(first, second)));
        Table found = java.util.Objects.requireNonNull(tables.get(5));
        assertEquals(5, found.number());
        assertEquals(3, found.route().size());
        assertEquals(first, found.route().get(0));
        assertEquals(
                List.of(new Share(1, 7), new Share(0, 0)), found.route().get(1).share());
        assertEquals("/sixteen-bytes-b", found.route().get(1).path().text());
        assertEquals("", found.route().get(2).path().text());
        Table tooLong = new Table(6, 4, java.util.Collections.nCopies(4, second));
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, () -> tables.put(6, tooLong));
        assertTrue(String.valueOf(refused.getMessage()).contains("4 elements, expected at most 3"));
        assertNull(tables.get(6));
        LayoutException notAnArray =
                assertThrows(LayoutException.class, () -> map.valueLayout().element("number"));
        assertTrue(String.valueOf(notAnArray.getMessage()).contains("expected an array of structs"));
    }

    @Test
    void aPerCpuHashHasAValueForEachProcessor() throws Exception {
        BpfMap map = object.map("sums");
        PerCpuMap<ServiceKey, Share> sums = map.perCpu(
                RecordCodec.of(MethodHandles.lookup(), ServiceKey.class, map.keyLayout(), FieldCodec.address()),
                RecordCodec.of(MethodHandles.lookup(), Share.class, map.valueLayout()));
        ServiceKey key = new ServiceKey(InetAddress.ofLiteral("240.240.0.7"), 9080, 6);
        sums.put(key, List.of(new Share(4, 2)));
        List<Share> each = java.util.Objects.requireNonNull(sums.snapshot().get(key));
        assertEquals(Cpus.possible(), each.size());
        assertEquals(new Share(4, 2), each.getFirst());
        assertEquals(4, each.stream().mapToInt(Share::until).sum());
        assertTrue(sums.delete(key));
        assertFalse(sums.delete(key));
        assertEquals(Map.of(), sums.snapshot());
    }

    @Test
    void structKeysCompareWithoutNoiseInThePadding() throws Exception {
        BpfMap map = object.map("services");
        TypedMap<ServiceKey, Integer> services = map.typed(
                RecordCodec.of(MethodHandles.lookup(), ServiceKey.class, map.keyLayout(), FieldCodec.address()),
                MapCodec.u32());
        ServiceKey key = new ServiceKey(InetAddress.ofLiteral("240.240.0.7"), 65535, 17);
        services.put(key, 5);
        assertEquals(5, services.get(new ServiceKey(InetAddress.ofLiteral("240.240.0.7"), 65535, 17)));
        assertThrows(IllegalArgumentException.class, () -> services.get(new ServiceKey(key.vip(), 65536, 6)));
        assertTrue(services.delete(key));
    }

    @Test
    void manyEntriesInBatches() throws Exception {
        TypedMap<Long, Workload> map = workloads();
        Map<Long, Workload> many = new HashMap<>();
        for (int i = 0; i < 1000; i++) {
            many.put(1000L + i, workload(i));
        }
        map.putAll(many);
        assertEquals(many, map.snapshot());
        List<Long> some = new ArrayList<>(many.keySet()).subList(0, 600);
        some.add(4_000_000L); // absent: no error, and the rest is still deleted
        List<Long> wanted = List.copyOf(some);
        map.deleteAll(wanted);
        assertEquals(400, map.keys().size());
        map.deleteAll(many.keySet());
        assertEquals(Map.of(), map.snapshot());
        map.putAll(Map.of());
        map.deleteAll(List.of());
    }

    @Test
    void aFullMapSaysHowLargeItIs() throws Exception {
        TypedMap<Long, Workload> map = workloads();
        Map<Long, Workload> many = new HashMap<>();
        for (int i = 0; i < 1025; i++) {
            many.put((long) i, workload(i));
        }
        BpfException full = assertThrows(BpfException.class, () -> map.putAll(many));
        assertEquals(Errno.E2BIG, full.errno());
        assertTrue(String.valueOf(full.getMessage()).contains("1024"), full.toString());
        map.deleteAll(many.keySet());
    }

    @Test
    void deletingWhileListing() throws Exception {
        TypedMap<Long, Workload> map = workloads();
        for (long i = 0; i < 300; i++) {
            map.put(i, workload(1));
        }
        map.forEach((key, value) -> map.delete(key));
        assertEquals(List.of(), map.keys());
    }

    @Test
    void arraysAndLru() {
        TypedMap<Integer, Long> settings = object.map("settings").typed(MapCodec.u32(), MapCodec.u64());
        settings.put(3, 99L);
        assertEquals(Map.of(0, 0L, 1, 0L, 2, 0L, 3, 99L), settings.snapshot());
        assertThrows(BpfException.class, () -> settings.put(4, 1L));
        assertThrows(BpfException.class, () -> settings.delete(3));
        settings.put(3, 0L);
        TypedMap<Integer, Long> recent = object.map("recent").typed(MapCodec.u32(), MapCodec.u64());
        for (int i = 0; i < 1000; i++) {
            recent.put(i, (long) i);
        }
        assertTrue(recent.snapshot().size() <= 256);
        recent.deleteAll(recent.keys());
    }

    @Test
    void perCpuValuesAreSummed() {
        BpfMap counters = object.map("counters");
        assertEquals(8 * Cpus.possible(), counters.stride());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment key = arena.allocateFrom(ValueLayout.JAVA_INT, 6);
            MemorySegment values = arena.allocate(counters.stride(), 8);
            for (int cpu = 0; cpu < Cpus.possible(); cpu++) {
                values.setAtIndex(ValueLayout.JAVA_LONG, cpu, 10L + cpu);
            }
            counters.update(key, values, BpfMap.ANY);
            int n = Cpus.possible();
            assertEquals(10L * n + (long) n * (n - 1) / 2, counters.sumPerCpu()[6]);
            values.fill((byte) 0);
            counters.update(key, values, BpfMap.ANY);
        }
        assertThrows(IllegalArgumentException.class, () -> counters.typed(MapCodec.u32(), MapCodec.u64()));
        assertThrows(IllegalStateException.class, () -> object.map("workloads").sumPerCpu());
    }

    @Test
    void layoutsThatDoNotFitAreRefusedAtOnceByName() {
        BpfMap map = object.map("workloads");
        RecordLayout layout = map.valueLayout();
        assertEquals("struct workload", layout.name());
        assertEquals(4, layout.u8("role").offset());
        assertEquals(24, layout.struct("addr6").field("w").offset());
        LayoutException missing = assertThrows(LayoutException.class, () -> layout.u32("colour"));
        assertEquals("struct workload has no field colour; it has id, role, pad, addr4, addr6", missing.getMessage());
        LayoutException size = assertThrows(LayoutException.class, () -> layout.u32("role"));
        assertEquals("struct workload.role is 1 bytes (unsigned char), expected 4", size.getMessage());
        record Narrow(int id, byte role) {}
        LayoutException forgotten =
                assertThrows(LayoutException.class, () -> RecordCodec.of(MethodHandles.lookup(), Narrow.class, layout));
        assertTrue(String.valueOf(forgotten.getMessage()).contains("addr4, addr6"), forgotten.toString());
        assertThrows(LayoutException.class, () -> map.typed(MapCodec.u32(), MapCodec.u32()));
        assertThrows(LayoutException.class, () -> object.map("events").valueLayout());
    }

    @Test
    void aClosedMapSaysSo() {
        try (BpfObject other = BpfObject.open(TestObjects.sample())) {
            other.load();
            BpfMap map = other.map("settings");
            other.close();
            assertFalse(map.isOpen());
            assertThrows(IllegalStateException.class, map::id);
        }
    }
}
