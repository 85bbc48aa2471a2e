package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Goal: no step costs a multiple of what it should. Method: the best of several rounds, with limits far above the
 * measured figures (which are printed), since other work shares the machine and the tests run without the top compiler.
 */
class CostTest {
    private record Workload(int id, byte role, InetAddress addr4, InetAddress addr6) {}

    private static final int ROUNDS = 20;
    private static final int CALLS = 5_000;

    private interface Step {
        void run(int i);
    }

    private static double microseconds(String what, Step step) {
        double best = Double.MAX_VALUE;
        for (int round = 0; round < ROUNDS; round++) {
            long start = System.nanoTime();
            for (int i = 0; i < CALLS; i++) {
                step.run(i);
            }
            best = Math.min(best, (System.nanoTime() - start) / 1e3 / CALLS);
        }
        System.out.printf("cost: %-40s %8.3f us%n", what, best);
        return best;
    }

    @Test
    void loadsAndUpdatesAreCheap() throws Exception {
        double load = Double.MAX_VALUE;
        for (int i = 0; i < 5; i++) {
            long start = System.nanoTime();
            try (BpfObject object = BpfObject.open(TestObjects.sample())) {
                object.load();
            }
            load = Math.min(load, (System.nanoTime() - start) / 1e6);
        }
        System.out.printf("cost: %-40s %8.3f ms%n", "open, load, close", load);
        assertTrue(load < 500, "load took " + load + " ms");
        try (BpfObject object = BpfObject.open(TestObjects.sample());
                Arena arena = Arena.ofConfined()) {
            object.load();
            BpfMap map = object.map("workloads");
            MemorySegment key = arena.allocate(8, 8);
            MemorySegment value = arena.allocate(map.stride(), 8);
            double raw = microseconds("update, raw", i -> {
                key.set(ValueLayout.JAVA_LONG, 0, i % 1000);
                map.update(key, value, BpfMap.ANY);
            });
            RecordCodec<Workload> codec =
                    RecordCodec.of(MethodHandles.lookup(), Workload.class, map.valueLayout(), FieldCodec.address());
            TypedMap<Long, Workload> typed = map.typed(MapCodec.u64(), codec);
            InetAddress address = InetAddress.ofLiteral("100.64.3.10");
            Workload workload = new Workload(1, (byte) 1, address, address);
            double put = microseconds("put, record codec", i -> typed.put((long) (i % 1000), workload));
            microseconds("get, record codec", i -> typed.get((long) (i % 1000)));
            Map<Long, Workload> all = new LinkedHashMap<>();
            for (long i = 0; i < 1000; i++) {
                all.put(i, workload);
            }
            long start = System.nanoTime();
            for (int i = 0; i < 20; i++) {
                typed.putAll(all);
            }
            System.out.printf("cost: %-40s %8.3f us%n", "entry of a batch", (System.nanoTime() - start) / 1e3 / 20_000);
            assertTrue(raw < 20, "a raw update took " + raw + " us");
            assertTrue(put < 50, "a put took " + put + " us");
        }
    }

    @Test
    void aRawUpdateAllocatesNothing() {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (BpfObject object = BpfObject.open(TestObjects.sample());
                Arena arena = Arena.ofConfined()) {
            object.load();
            BpfMap map = object.map("workloads");
            MemorySegment key = arena.allocate(8, 8);
            MemorySegment value = arena.allocate(map.stride(), 8);
            long last = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < CALLS; i++) {
                    map.update(key, value, BpfMap.ANY);
                }
                last = threads.getCurrentThreadAllocatedBytes() - before;
            }
            System.out.printf("cost: %-40s %8.3f bytes%n", "heap per raw update", (double) last / CALLS);
            assertTrue(last < CALLS * 200L, "a raw update allocates " + last / CALLS + " bytes");
        }
    }
}
