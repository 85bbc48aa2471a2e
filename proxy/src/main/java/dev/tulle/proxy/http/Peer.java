package dev.tulle.proxy.http;

import dev.tulle.proxy.discovery.WorkloadDirectory;

/**
 * The client side of a connection.
 *
 * @param remote the client's address and port, for people
 * @param dialled the address and port that the client dialled, for people
 * @param source the client's workload
 */
public record Peer(String remote, String dialled, WorkloadDirectory.Entry source) {}
