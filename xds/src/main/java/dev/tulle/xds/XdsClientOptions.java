package dev.tulle.xds;

/**
 * Where and as whom a client connects.
 *
 * @param host the control plane's address
 * @param port the control plane's port
 * @param nodeId the name of the node, the same in all roles of one host
 * @param role {@code agent}, {@code proxy} or another word shown in the control plane's list of clients
 */
public record XdsClientOptions(String host, int port, String nodeId, String role) {
    /** The port of the control plane, as in Istio. */
    public static final int DEFAULT_PORT = 15010;

    /** A client of the control plane on this host. */
    public static XdsClientOptions local(String nodeId, String role) {
        return new XdsClientOptions("127.0.0.1", DEFAULT_PORT, nodeId, role);
    }
}
