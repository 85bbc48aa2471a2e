package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.HttpStructs.OutcomesValue;
import dev.tulle.agent.datapath.Structs.SockAddr;
import dev.tulle.common.Ip;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.TypedMap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The endpoints' series of failures, in which kernel and proxy count together. A pool's record is at its number's
 * remainder by the number of records, so numbers are chosen such that no two living pools meet. Owner thread only.
 */
final class HttpOutcomes {
    private final TypedMap<Integer, OutcomesValue> records;
    private final int places;
    private final Set<Integer> taken = new HashSet<>();

    HttpOutcomes(BpfObject object) {
        BpfMap map = object.map("tulle_http_outcomes");
        this.records = map.typed(MapCodec.u32(), HttpStructs.codec(OutcomesValue.class, map.valueLayout()));
        this.places = map.spec().maxEntries();
    }

    private int place(int pool) {
        return Integer.remainderUnsigned(pool, places);
    }

    /** Goes on with pools of an earlier agent: what was counted stays. */
    void adopt(Collection<Integer> pools) {
        pools.forEach(pool -> begin(pool));
    }

    /** The first number after this one whose record is free; with all in use (no endpoint fits either) the next one. */
    int after(int last) {
        for (int i = 1; i <= places; i++) {
            if (!taken.contains(place(last + i))) {
                return last + i;
            }
        }
        return last + 1;
    }

    /** A pool needs its record from now on. */
    void begin(int pool) {
        taken.add(place(pool));
        OutcomesValue found = records.get(place(pool));
        if (found == null || found.pool() != pool) {
            records.put(place(pool), new OutcomesValue(pool, 0, 0, 0));
        }
    }

    /** A pool is gone: its record is another's at some time, and until then nobody names it. */
    void end(int pool) {
        taken.remove(place(pool));
    }

    /** What is known of each endpoint. */
    List<HttpOutcome> read(Map<SockAddr, Integer> poolOf, Map<Integer, HttpStats.Sums> sums) {
        List<HttpOutcome> all = new ArrayList<>();
        poolOf.forEach((endpoint, pool) -> {
            OutcomesValue found = records.get(place(pool));
            HttpStats.Sums sum = sums.getOrDefault(pool, HttpStats.Sums.NONE);
            if (found != null && found.pool() == pool) {
                all.add(new HttpOutcome(
                        Ip.text(endpoint.addr()),
                        endpoint.port(),
                        Integer.toUnsignedLong(found.errors()),
                        Integer.toUnsignedLong(found.gateway()),
                        Integer.toUnsignedLong(found.local()),
                        sum.successes(),
                        sum.errors()));
            }
        });
        return all;
    }
}
