package dev.tulle.xds;

import java.nio.file.Path;

/**
 * Where and as whom a client connects.
 *
 * @param control where the control plane serves
 * @param nodeId the name of the node, the same in all roles of one host
 * @param role {@code agent}, {@code proxy} or another word shown in the control plane's list of clients
 */
public record XdsClientOptions(ControlAddress control, String nodeId, String role) {
    /** A client of a control plane on this host. */
    public XdsClientOptions(Path socket, String nodeId, String role) {
        this(ControlAddress.of(socket), nodeId, role);
    }
}
