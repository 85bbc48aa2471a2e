package dev.tulle.model;

import java.util.List;

/** The endpoints of one cluster (EDS resource). */
public record EndpointSet(String cluster, List<Endpoint> endpoints) {
    public EndpointSet {
        endpoints = List.copyOf(endpoints);
    }
}
