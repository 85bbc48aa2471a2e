package dev.tulle.model;

/**
 * A workload's address and port able to receive traffic for a service.
 *
 * @param address in text form; a host name, to be looked up by the proxy, for a ServiceEntry with resolution DNS
 * @param port 1 to 65535
 * @param weight relative weight, 1 or more
 * @param healthy false keeps it out unless none is healthy
 * @param workload the workload's name, empty when unknown
 * @param namespace the workload's namespace, empty when unknown
 * @param locality where it is
 * @param priority 0 or more: it is used when no endpoint with a lower one is to be had, see {@link Candidates}
 * @param node the node that it is on; {@link NodePlace#NONE} for one outside the mesh
 */
public record Endpoint(
        String address,
        int port,
        int weight,
        boolean healthy,
        String workload,
        String namespace,
        Locality locality,
        int priority,
        NodePlace node) {
    /** An endpoint of no node. */
    public Endpoint(
            String address,
            int port,
            int weight,
            boolean healthy,
            String workload,
            String namespace,
            Locality locality,
            int priority) {
        this(address, port, weight, healthy, workload, namespace, locality, priority, NodePlace.NONE);
    }

    /** An endpoint of unknown locality, as good as any other. */
    public Endpoint(String address, int port, int weight, boolean healthy, String workload, String namespace) {
        this(address, port, weight, healthy, workload, namespace, Locality.NONE, 0);
    }

    /** The same somewhere. */
    public Endpoint in(Locality place) {
        return new Endpoint(address, port, weight, healthy, workload, namespace, place, priority, node);
    }

    /** The same on a node. */
    public Endpoint on(NodePlace where) {
        return new Endpoint(address, port, weight, healthy, workload, namespace, locality, priority, where);
    }

    Endpoint withPriority(int value) {
        return new Endpoint(address, port, weight, healthy, workload, namespace, locality, value, node);
    }

    Endpoint withWeight(int value) {
        return new Endpoint(address, port, value, healthy, workload, namespace, locality, priority, node);
    }
}
