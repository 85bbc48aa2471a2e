package dev.tulle.agent.datapath;

import java.util.ArrayList;
import java.util.List;

/**
 * What the kernel has forwarded so far of the requests from one workload to another, with one status code.
 *
 * @param service the service's number in the kernel's maps
 * @param source number of the calling workload
 * @param destination number of the endpoint's workload, 0 for none of this node
 * @param code status code
 * @param requests how many
 * @param requestBytes bytes of their bodies
 * @param responseBytes bytes of the responses' bodies
 * @param nanos sum of their durations
 * @param buckets how many in each bucket of the duration
 */
public record HttpCount(
        int service,
        int source,
        int destination,
        int code,
        long requests,
        long requestBytes,
        long responseBytes,
        long nanos,
        List<Long> buckets) {
    public HttpCount {
        buckets = List.copyOf(buckets);
    }

    /** What came since an earlier count of the same. */
    public HttpCount since(HttpCount before) {
        List<Long> differences = new ArrayList<>();
        for (int i = 0; i < buckets.size(); i++) {
            differences.add(buckets.get(i) - before.buckets.get(i));
        }
        return new HttpCount(
                service,
                source,
                destination,
                code,
                requests - before.requests,
                requestBytes - before.requestBytes,
                responseBytes - before.responseBytes,
                nanos - before.nanos,
                differences);
    }

    /** Both together. */
    public HttpCount plus(HttpCount other) {
        List<Long> sums = new ArrayList<>();
        for (int i = 0; i < buckets.size(); i++) {
            sums.add(buckets.get(i) + other.buckets.get(i));
        }
        return new HttpCount(
                service,
                source,
                destination,
                code,
                requests + other.requests,
                requestBytes + other.requestBytes,
                responseBytes + other.responseBytes,
                nanos + other.nanos,
                sums);
    }
}
