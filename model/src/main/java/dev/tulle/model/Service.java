package dev.tulle.model;

import java.util.List;

/**
 * A stable name with virtual addresses and ports that stands for many workloads.
 *
 * @param namespace the namespace, for example {@code default}
 * @param hostname the full host name, for example {@code reviews.default.svc.cluster.local}
 * @param addresses virtual addresses in text form; never empty for a mesh service
 * @param ports the ports, by number
 * @param origin the object that declares it
 * @param paths for each port number in {@code ports}, which data path serves it and why; same order as {@code ports}
 */
public record Service(
        String namespace,
        String hostname,
        List<String> addresses,
        List<ServicePort> ports,
        ResourceRef origin,
        List<PortPath> paths) {
    public Service {
        addresses = List.copyOf(addresses);
        ports = List.copyOf(ports);
        paths = List.copyOf(paths);
    }

    /** The first label of the host name, for example {@code reviews}. */
    public String shortName() {
        int dot = hostname.indexOf('.');
        return dot < 0 ? hostname : hostname.substring(0, dot);
    }
}
