package dev.tulle.xds;

import dev.tulle.common.VisibleText;
import dev.tulle.model.Locality;
import dev.tulle.model.MeshState;
import dev.tulle.xds.proto.envoy.config.core.v3.Node;

/**
 * Who a client says it is.
 *
 * @param id the node's name
 * @param role {@code agent}, {@code proxy}; for other clients what they call their cluster
 * @param software name and version of the client
 * @param locality where it says it is; Tulle's own clients leave that to the node's registration
 */
record NodeIdentity(String id, String role, String software, Locality locality) {
    /** The longest name of a node, in characters. */
    private static final int MAX_TEXT = 253;

    static final NodeIdentity UNKNOWN = new NodeIdentity("unknown", "unknown", "unknown", Locality.NONE);

    static NodeIdentity of(Node node) {
        String version = node.getUserAgentVersionTypeCase() == Node.UserAgentVersionTypeCase.USER_AGENT_VERSION
                ? " " + node.getUserAgentVersion()
                : "";
        return new NodeIdentity(
                node.getId().isEmpty() ? "unknown" : shown(node.getId()),
                node.getCluster().isEmpty() ? "unknown" : shown(node.getCluster()),
                shown(node.getUserAgentName() + version),
                new Locality(
                        shown(node.getLocality().getRegion()),
                        shown(node.getLocality().getZone()),
                        shown(node.getLocality().getSubZone())));
    }

    /** What a client says of itself is kept, logged and shown. */
    private static String shown(String text) {
        return VisibleText.line(text, MAX_TEXT);
    }

    /** {@code node/role}; empty while nobody has said it. */
    String client() {
        return equals(UNKNOWN) ? "" : id + "/" + role;
    }

    /** Where the client is: what it says itself, else what its node said when it registered. */
    Locality locality(MeshState state) {
        return locality.isKnown() ? locality : state.localities().getOrDefault(id, Locality.NONE);
    }
}
