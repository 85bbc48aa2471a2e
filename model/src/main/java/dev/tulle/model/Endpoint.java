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
 */
public record Endpoint(String address, int port, int weight, boolean healthy, String workload, String namespace) {}
