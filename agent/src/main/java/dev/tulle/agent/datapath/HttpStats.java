package dev.tulle.agent.datapath;

import dev.tulle.agent.datapath.HttpStructs.StatKey;
import dev.tulle.agent.datapath.HttpStructs.StatValue;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.PerCpuMap;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads what kernel HTTP counts. Owner thread only. */
final class HttpStats {
    private final PerCpuMap<StatKey, StatValue> stats;

    HttpStats(BpfObject object) {
        BpfMap map = object.map("tulle_http_stats");
        this.stats = map.perCpu(
                HttpStructs.codec(StatKey.class, map.keyLayout()),
                HttpStructs.codec(StatValue.class, map.valueLayout()));
    }

    /** Everything that was ever counted and not removed, each pool by itself. */
    List<HttpCount> counts() {
        List<HttpCount> counts = new ArrayList<>();
        stats.snapshot().forEach((key, values) -> {
            HttpCount sum = null;
            for (StatValue value : values) {
                HttpCount one = new HttpCount(
                        key.service(),
                        key.source(),
                        key.workload(),
                        key.code(),
                        value.requests(),
                        value.requestBytes(),
                        value.responseBytes(),
                        value.nanos(),
                        value.bucket().counts());
                sum = sum == null ? one : sum.plus(one);
            }
            if (sum != null) {
                counts.add(sum);
            }
        });
        return counts;
    }

    /**
     * What a pool's endpoint has answered to requests that the kernel forwarded.
     *
     * @param successes responses of other classes than 5xx
     * @param errors 5xx
     */
    record Sums(long successes, long errors) {
        static final Sums NONE = new Sums(0, 0);

        private Sums plus(int code, long requests) {
            return code < 500 ? new Sums(successes + requests, errors) : new Sums(successes, errors + requests);
        }
    }

    /** The sums by pool. */
    Map<Integer, Sums> byPool() {
        Map<Integer, Sums> sums = new HashMap<>();
        stats.snapshot().forEach((key, values) -> {
            long requests = values.stream().mapToLong(StatValue::requests).sum();
            sums.put(key.pool(), sums.getOrDefault(key.pool(), Sums.NONE).plus(key.code(), requests));
        });
        return sums;
    }

    /** Removes what concerns no workload that is still there: nothing counts on it any more. */
    void forgetAllBut(Set<Integer> workloads) {
        stats.snapshot().keySet().stream()
                .filter(key -> !workloads.contains(key.source()))
                .filter(key -> key.workload() == 0 || !workloads.contains(key.workload()))
                .forEach(stats::delete);
    }
}
