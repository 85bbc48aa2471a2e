package dev.tulle.xds;

import dev.tulle.xds.proto.envoy.config.core.v3.Node;

/**
 * Who a client says it is.
 *
 * @param id the node's name
 * @param role {@code agent}, {@code proxy}; for other clients what they call their cluster
 * @param software name and version of the client
 */
record NodeIdentity(String id, String role, String software) {
    static final NodeIdentity UNKNOWN = new NodeIdentity("unknown", "unknown", "unknown");

    static NodeIdentity of(Node node) {
        String version = node.getUserAgentVersionTypeCase() == Node.UserAgentVersionTypeCase.USER_AGENT_VERSION
                ? " " + node.getUserAgentVersion()
                : "";
        return new NodeIdentity(
                node.getId().isEmpty() ? "unknown" : node.getId(),
                node.getCluster().isEmpty() ? "unknown" : node.getCluster(),
                node.getUserAgentName() + version);
    }
}
