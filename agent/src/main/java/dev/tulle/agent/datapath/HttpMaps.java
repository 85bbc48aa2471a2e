package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.HttpStructs.HttpServiceValue;
import dev.tulle.agent.datapath.HttpStructs.PoolKey;
import dev.tulle.agent.datapath.HttpStructs.SourceKey;
import dev.tulle.agent.datapath.HttpStructs.TableValue;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.common.LoopNumber;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.TypedMap;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.LongSupplier;

/**
 * Keeps the tables of kernel HTTP, what they name, and the records that name them. A table is never changed: a new one
 * is written under a number that was never used, then its service names it, and a second later, when no program can still
 * be reading it, the old one goes. Reads back what an earlier agent left, so that nothing that holds is written again.
 * Owner thread only.
 */
final class HttpMaps {
    /** How long what nobody names any more stays: far longer than one run of a program. */
    static final Duration LINGER = Duration.ofSeconds(1);

    /** Tables that went last and whose names are kept, as requests that they decided may still be under way. */
    private static final int NAMES_GONE = 1_024;

    private final TypedMap<Integer, HttpServiceValue> services;
    private final TypedMap<Integer, TableValue> tables;
    private final TypedMap<SourceKey, Integer> sources;
    private final TypedMap<SockAddr, Integer> endpoints;
    private final TypedMap<PoolKey, byte[]> pools;
    private final HttpOutcomes outcomes;
    private final IntPredicate lives;
    private final LongSupplier nanoTime;
    private final Map<Integer, TableValue> held = new HashMap<>();
    private final Map<Integer, Map<Integer, Integer>> heldSources = new HashMap<>();
    private final Map<SockAddr, Integer> poolOf;
    private final List<Retired> retired = new ArrayList<>();
    private final Map<Integer, SampleNames.Table> names = new HashMap<>();
    private final Deque<Integer> gone = new ArrayDeque<>();
    private int lastTable;
    private int lastPool;

    private record Retired(int table, long deadline) {}

    /**
     * How one service is to be served.
     *
     * @param table its routes and rules
     * @param sources for each workload of this node, which rules concern it, as bits
     */
    record Serving(HttpTable table, Map<Integer, Integer> sources) {
        Serving {
            sources = Map.copyOf(sources);
        }
    }

    /**
     * Over the maps of an object.
     *
     * @param first numbers of tables and pools are larger than this and than any that is found
     * @param lives whether the process of that number is there
     * @param nanoTime a clock that goes on
     */
    HttpMaps(BpfObject object, int first, IntPredicate lives, LongSupplier nanoTime) {
        BpfMap serviceMap = object.map("tulle_http_services");
        this.services =
                serviceMap.typed(MapCodec.u32(), HttpStructs.codec(HttpServiceValue.class, serviceMap.valueLayout()));
        BpfMap tableMap = object.map("tulle_http_tables");
        this.tables = tableMap.typed(MapCodec.u32(), HttpStructs.codec(TableValue.class, tableMap.valueLayout()));
        BpfMap sourceMap = object.map("tulle_http_sources");
        this.sources = sourceMap.typed(HttpStructs.codec(SourceKey.class, sourceMap.keyLayout()), MapCodec.u32());
        BpfMap endpointMap = object.map("tulle_http_endpoints");
        this.endpoints = endpointMap.typed(HttpStructs.codec(SockAddr.class, endpointMap.keyLayout()), MapCodec.u32());
        BpfMap poolMap = object.map("tulle_http_pools");
        this.pools = poolMap.typed(
                HttpStructs.codec(PoolKey.class, poolMap.keyLayout()),
                MapCodec.bytes(poolMap.spec().valueSize()));
        this.lives = lives;
        this.nanoTime = nanoTime;
        this.lastTable = first;
        this.lastPool = first;
        this.poolOf = new HashMap<>(endpoints.snapshot());
        this.outcomes = new HttpOutcomes(object);
        outcomes.adopt(poolOf.values());
        poolOf.values().forEach(pool -> lastPool = Math.max(lastPool, pool));
        readBack();
    }

    private void readBack() {
        Map<Integer, Map<Integer, Integer>> sourcesOf = new HashMap<>();
        sources.forEach((key, bits) ->
                sourcesOf.computeIfAbsent(key.table(), _ -> new HashMap<>()).put(key.workload(), bits));
        Set<Integer> named = new HashSet<>();
        services.forEach((service, value) -> {
            TableValue table = tables.get(value.table());
            if (table != null && table.service() == service) {
                held.put(service, table);
                heldSources.put(service, sourcesOf.getOrDefault(value.table(), new HashMap<>()));
                named.add(value.table());
            }
        });
        for (int number : tables.keys()) {
            lastTable = Math.max(lastTable, number);
            if (!named.contains(number)) {
                retire(number);
            }
        }
        sourcesOf.keySet().stream().filter(number -> !named.contains(number)).forEach(this::retire);
    }

    /**
     * Makes what the rules of tables need to know of workloads known, before the kernel knows the workloads themselves.
     *
     * @param wanted by service id
     */
    void announce(Map<Integer, Serving> wanted) {
        wanted.forEach((service, serving) -> {
            TableValue table = held.get(service);
            if (table != null) {
                writeSources(service, table.number(), serving.sources(), false);
            }
        });
    }

    /**
     * Brings the maps to what is wanted.
     *
     * @param wanted by service id
     * @param keep services that stay as they are
     * @param workloads workload ids by address
     */
    void reconcile(Map<Integer, Serving> wanted, Set<Integer> keep, Map<InetAddress, Integer> workloads) {
        Set<SockAddr> used = new HashSet<>();
        wanted.values()
                .forEach(serving -> serving.table().endpoints().forEach(member -> used.add(endpoint(member, true))));
        wanted.forEach((service, serving) -> write(service, serving, workloads));
        for (int service : List.copyOf(held.keySet())) {
            if (!wanted.containsKey(service) && !keep.contains(service)) {
                services.delete(service);
                forget(service);
            }
        }
        sweep(used, !keep.isEmpty());
    }

    private SockAddr endpoint(HttpTable.Member member, boolean make) {
        SockAddr key = new SockAddr(MeshNetwork.address(member.address()), member.port());
        if (make && !poolOf.containsKey(key)) {
            int pool = outcomes.after(lastPool);
            lastPool = pool;
            outcomes.begin(pool);
            endpoints.put(key, pool);
            poolOf.put(key, pool);
        }
        return key;
    }

    private void write(int service, Serving serving, Map<InetAddress, Integer> workloads) {
        TableValue before = held.get(service);
        int number = before == null ? 0 : before.number();
        TableValue wanted = HttpStructs.table(
                number,
                service,
                serving.table(),
                member -> poolOf.getOrDefault(endpoint(member, false), 0),
                member -> workloads.getOrDefault(MeshNetwork.address(member.address()), 0));
        if (wanted.equals(before)) {
            names.put(number, SampleNames.Table.of(serving.table()));
            writeSources(service, number, serving.sources(), true);
            return;
        }
        TableValue fresh = wanted.withNumber(++lastTable);
        names.put(fresh.number(), SampleNames.Table.of(serving.table()));
        heldSources.put(service, new HashMap<>());
        writeSources(service, fresh.number(), serving.sources(), true);
        tables.put(fresh.number(), fresh);
        services.put(service, new HttpServiceValue(fresh.number()));
        held.put(service, fresh);
        if (before != null) {
            retire(before.number());
        }
    }

    private void writeSources(int service, int table, Map<Integer, Integer> wanted, boolean remove) {
        Map<Integer, Integer> found = heldSources.computeIfAbsent(service, _ -> new HashMap<>());
        wanted.forEach((workload, bits) -> {
            if (!bits.equals(found.get(workload))) {
                sources.put(new SourceKey(table, workload), bits);
                found.put(workload, bits);
            }
        });
        if (remove) {
            found.keySet().removeIf(workload -> {
                boolean gone = !wanted.containsKey(workload);
                if (gone) {
                    sources.delete(new SourceKey(table, workload));
                }
                return gone;
            });
        }
    }

    private void forget(int service) {
        TableValue table = held.remove(service);
        heldSources.remove(service);
        if (table != null) {
            retire(table.number());
        }
    }

    private void retire(int table) {
        retired.add(new Retired(table, nanoTime.getAsLong() + LINGER.toNanos()));
    }

    /** Removes what has lingered, and pools that no table names, or whose proxy has gone. */
    private void sweep(Set<SockAddr> used, boolean keepEndpoints) {
        sweepDeadLoops();
        long now = nanoTime.getAsLong();
        Set<Integer> over = new HashSet<>();
        retired.removeIf(one -> {
            boolean ends = one.deadline() - now <= 0;
            if (ends) {
                over.add(one.table());
            }
            return ends;
        });
        if (!over.isEmpty()) {
            over.forEach(tables::delete);
            gone.addAll(over);
            while (gone.size() > NAMES_GONE) {
                names.remove(gone.remove());
            }
            sources.deleteAll(sources.keys().stream()
                    .filter(key -> over.contains(key.table()))
                    .toList());
        }
        if (keepEndpoints || !retired.isEmpty()) {
            return;
        }
        // No table that a program may still read names them, so no lease of theirs can be asked for.
        poolOf.keySet().removeIf(key -> {
            boolean gone = !used.contains(key);
            if (gone) {
                endpoints.delete(key);
                outcomes.end(poolOf.getOrDefault(key, 0));
            }
            return gone;
        });
        Set<Integer> living = new HashSet<>(poolOf.values());
        pools.deleteAll(pools.keys().stream()
                .filter(key -> !living.contains(key.pool()))
                .toList());
    }

    /**
     * Removes the pools of event loops whose process has gone. The kernel makes a pool when a loop offers a connection for
     * it, and only connections of that process use it: they are closed, so nobody can be at it or come back. A process
     * that is there keeps its pools, empty or not, as it may be just about to offer.
     */
    private void sweepDeadLoops() {
        Map<Integer, Boolean> living = new HashMap<>();
        pools.deleteAll(pools.keys().stream()
                .filter(key -> {
                    int process = LoopNumber.process(key.loop());
                    return process != 0 && !living.computeIfAbsent(process, lives::test);
                })
                .toList());
    }

    /** True when something lingers, so that {@link #reconcile} should be called again after {@link #LINGER}. */
    boolean lingers() {
        return !retired.isEmpty();
    }

    /** The names in tables, also of those that went lately. */
    Map<Integer, SampleNames.Table> names() {
        return names;
    }

    /** How requests to the endpoints ended. */
    List<HttpOutcome> outcomes(Map<Integer, HttpStats.Sums> sums) {
        return outcomes.read(poolOf, sums);
    }

    /** The table in force for a service, 0 for none. For tests and reports. */
    int tableOf(int service) {
        TableValue table = held.get(service);
        return table == null ? 0 : table.number();
    }
}
