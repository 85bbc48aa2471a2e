package dev.tulle.agent;

import dev.tulle.agent.datapath.Datapath;
import dev.tulle.agent.datapath.TcpCount;
import dev.tulle.telemetry.IstioMetrics;
import dev.tulle.telemetry.MetricRegistry;
import dev.tulle.telemetry.ServiceLabels;
import dev.tulle.telemetry.WorkloadLabels;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Turns what the kernel has counted of the connections that it balanced into the same metrics with the same labels as
 * the proxy's: each connection comes past one of the two. Numbers of workloads are used again, so counts are collected
 * under the old labels before a number gets new ones; until then a workload that has gone keeps its labels, for its last
 * connections may end after it. Owner thread only.
 */
final class TcpMetrics {
    private final Datapath datapath;
    private final IstioMetrics istio;
    private final Map<Integer, WorkloadLabels> workloads = new HashMap<>();
    private Set<Integer> living = Set.of();
    private final Map<Key, TcpCount> before = new HashMap<>();
    private boolean named;

    private record Key(int source, int destination, int service) {
        static Key of(TcpCount count) {
            return new Key(count.source(), count.destination(), count.service());
        }
    }

    TcpMetrics(Datapath datapath, MetricRegistry registry) {
        this.datapath = datapath;
        this.istio = new IstioMetrics(registry);
    }

    /** The labels of the workloads that are there now, by number. */
    void workloads(Map<Integer, WorkloadLabels> now) {
        if (!named) {
            inherit(now);
        }
        boolean sameSoFar = now.entrySet().stream()
                .allMatch(entry -> entry.getValue().equals(workloads.getOrDefault(entry.getKey(), entry.getValue())));
        boolean allStay = now.keySet().containsAll(living);
        if (!sameSoFar) {
            datapath.tcpCounts().forEach(this::collect);
        } else if (!allStay) {
            collect();
        }
        living = Set.copyOf(now.keySet());
        if (!allStay) {
            forgetGone();
        }
        workloads.putAll(now);
    }

    /**
     * Numbers that an earlier agent's workloads had which have gone meanwhile: what was counted for them is nobody's who
     * gets such a number from now on.
     */
    private void inherit(Map<Integer, WorkloadLabels> now) {
        Set<Integer> gone = new HashSet<>();
        for (TcpCount count : datapath.tcpCounts()) {
            gone.add(count.source());
            gone.add(count.destination());
        }
        gone.removeAll(now.keySet());
        gone.remove(0);
        gone.forEach(number -> workloads.put(number, WorkloadLabels.UNKNOWN));
        workloads.putAll(now);
        living = Set.copyOf(gone);
        named = true;
    }

    /** Pairs on which nobody counts any more; while one of two is there, a connection that is still open may. */
    private void forgetGone() {
        List<TcpCount> gone = datapath.tcpCounts().stream().filter(this::isOver).toList();
        gone.forEach(this::collect);
        datapath.forgetTcpCounts(gone);
        gone.forEach(count -> before.remove(Key.of(count)));
    }

    private boolean isOver(TcpCount count) {
        boolean source = living.contains(count.source());
        boolean destination = living.contains(count.destination());
        if (count.source() == 0 || (source && destination)) {
            return false;
        }
        return (!source && !destination) || count.opened() == count.closed();
    }

    /**
     * Adds what was counted since the last time. Before the first {@link #workloads} it waits: what the kernel counted for
     * an earlier agent would get the labels of unknown workloads, for good. So does a pair whose service is not known yet,
     * until one of its numbers means something else.
     */
    void collect() {
        if (!named) {
            return;
        }
        for (TcpCount count : datapath.tcpCounts()) {
            if (count.service() == 0 || !datapath.serviceOf(count.service()).isEmpty()) {
                collect(count);
            }
        }
    }

    private void collect(TcpCount count) {
        TcpCount last = before.put(Key.of(count), count);
        add(last == null || last.opened() > count.opened() ? count : count.since(last));
    }

    private void add(TcpCount fresh) {
        if (fresh.opened() == 0 && fresh.closed() == 0 && fresh.sent() == 0 && fresh.received() == 0) {
            return;
        }
        IstioMetrics.Connections series = istio.connections(new IstioMetrics.Labels(
                workloads.getOrDefault(fresh.source(), WorkloadLabels.UNKNOWN),
                workloads.getOrDefault(fresh.destination(), WorkloadLabels.UNKNOWN),
                ServiceLabels.ofHost(datapath.serviceOf(fresh.service())),
                "tcp",
                0,
                "-",
                IstioMetrics.NO_GRPC));
        series.opened().add(fresh.opened());
        series.closed().add(fresh.closed());
        // Istio's words are the server's: it receives what the caller has sent.
        series.received().add(fresh.sent());
        series.sent().add(fresh.received());
    }
}
