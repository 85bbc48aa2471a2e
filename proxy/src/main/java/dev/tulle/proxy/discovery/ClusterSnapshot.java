package dev.tulle.proxy.discovery;

import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import java.util.List;

/** A cluster with its endpoints at one moment; no endpoints also when the control plane knows none. */
public record ClusterSnapshot(Cluster cluster, List<Endpoint> endpoints) {
    public ClusterSnapshot {
        endpoints = List.copyOf(endpoints);
    }
}
