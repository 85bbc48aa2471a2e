package dev.tulle.agent;

import dev.tulle.agent.datapath.Datapath;
import dev.tulle.agent.datapath.HttpCount;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.telemetry.ServiceLabels;
import dev.tulle.telemetry.WorkloadLabels;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Turns what the kernel has counted of forwarded requests into the same metrics with the same labels as the proxy's: of
 * each request exactly one of the two tells. Numbers of workloads are used again, so counts are collected under the old
 * labels before a number gets new ones. Owner thread only.
 */
final class HttpMetrics {
    private final Datapath datapath;
    private final IstioMetrics istio;
    private final Map<Integer, WorkloadLabels> workloads = new HashMap<>();
    private final Map<Key, HttpCount> before = new HashMap<>();
    private final Map<String, Long> byService = new HashMap<>();
    private boolean named;

    private record Key(int service, int source, int destination, int code) {}

    HttpMetrics(Datapath datapath, MetricRegistry registry) {
        this.datapath = datapath;
        this.istio = new IstioMetrics(registry);
    }

    /** The labels of the workloads that are there now, by number. */
    void workloads(Map<Integer, WorkloadLabels> living) {
        if (!named) {
            inherit(living);
        }
        boolean sameSoFar = workloads.entrySet().stream()
                .allMatch(entry -> entry.getValue().equals(living.getOrDefault(entry.getKey(), entry.getValue())));
        boolean allStay = living.keySet().containsAll(workloads.keySet());
        if (!sameSoFar) {
            collect(_ -> true);
        } else if (!allStay) {
            collect(key -> Stream.of(key.source(), key.destination())
                    .anyMatch(number -> number != 0 && !living.containsKey(number)));
        }
        if (!allStay) {
            datapath.forgetHttpCounts(living.keySet());
            before.keySet()
                    .removeIf(key -> !living.containsKey(key.source()) && !living.containsKey(key.destination()));
            workloads.keySet().retainAll(living.keySet());
        }
        workloads.putAll(living);
    }

    /**
     * Numbers that an earlier agent's workloads had which have gone meanwhile: what was counted for them is nobody's who
     * gets such a number from now on.
     */
    private void inherit(Map<Integer, WorkloadLabels> living) {
        for (HttpCount count : datapath.httpCounts()) {
            workloads.put(count.source(), WorkloadLabels.UNKNOWN);
            if (count.destination() != 0) {
                workloads.put(count.destination(), WorkloadLabels.UNKNOWN);
            }
        }
        workloads.putAll(living);
        named = true;
    }

    /**
     * Adds what was counted since the last time. Before the first {@link #workloads} it waits: what the kernel counted for
     * an earlier agent would get the labels of unknown workloads, for good. So does a service that is not known yet, until
     * a number means something else.
     */
    void collect() {
        if (named) {
            collect(_ -> false);
        }
    }

    private void collect(Predicate<Key> alsoNameless) {
        Map<Key, HttpCount> now = new HashMap<>();
        for (HttpCount count : datapath.httpCounts()) {
            Key key = new Key(count.service(), count.source(), count.destination(), count.code());
            if (!datapath.serviceOf(count.service()).isEmpty() || alsoNameless.test(key)) {
                now.merge(key, count, HttpCount::plus);
            }
        }
        now.forEach((key, count) -> {
            HttpCount last = before.put(key, count);
            HttpCount fresh = last == null || last.requests() > count.requests() ? count : count.since(last);
            add(key, fresh);
        });
    }

    private void add(Key key, HttpCount fresh) {
        if (fresh.requests() == 0) {
            return;
        }
        String service = datapath.serviceOf(key.service());
        byService.merge(service, fresh.requests(), Long::sum);
        IstioMetrics.Labels labels = new IstioMetrics.Labels(
                workloads.getOrDefault(key.source(), WorkloadLabels.UNKNOWN),
                workloads.getOrDefault(key.destination(), WorkloadLabels.UNKNOWN),
                ServiceLabels.ofHost(service),
                "http",
                key.code(),
                "-",
                IstioMetrics.NO_GRPC);
        istio.requests(labels)
                .add(
                        fresh.requests(),
                        fresh.buckets(),
                        fresh.nanos() / 1_000,
                        fresh.requestBytes(),
                        fresh.responseBytes());
    }

    /** Requests that the kernel has forwarded since this agent's start, by the service's host name. */
    Map<String, Long> byService() {
        collect();
        return Map.copyOf(byService);
    }
}
