package dev.tulle.model;

import java.util.List;

/**
 * The endpoints of one cluster (EDS resource).
 *
 * @param preference what {@link LocalityBalance} has still to decide for callers of each place; nothing of it is sent
 */
public record EndpointSet(String cluster, List<Endpoint> endpoints, LocalityPreference preference) {
    public EndpointSet {
        endpoints = List.copyOf(endpoints);
    }

    /** Endpoints with priorities and weights as they are to be used. */
    public EndpointSet(String cluster, List<Endpoint> endpoints) {
        this(cluster, endpoints, LocalityPreference.ANYWHERE);
    }
}
