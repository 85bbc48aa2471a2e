package dev.tulle.xds;

import java.nio.file.Path;

/**
 * Where and as whom a client connects.
 *
 * @param socket the control plane's socket, {@code xds.sock} in the run directory
 * @param nodeId the name of the node, the same in all roles of one host
 * @param role {@code agent}, {@code proxy} or another word shown in the control plane's list of clients
 */
public record XdsClientOptions(Path socket, String nodeId, String role) {}
