package dev.tulle.xds;

import dev.tulle.model.Locality;

/**
 * Where and as which node an agent registers.
 *
 * @param host the control plane's address
 * @param port the control plane's port
 * @param nodeId the name of the node; unique in the mesh and the same over restarts
 * @param wantedPrefix the prefix that the node already uses, for example {@code 100.64.3.0/24}, empty when it has none;
 *     granted when it is in the range and no other node holds it, so that a lost control plane state moves nobody
 * @param locality where the node is
 */
public record RegistrationOptions(String host, int port, String nodeId, String wantedPrefix, Locality locality) {
    /** A node that does not say where it is. */
    public RegistrationOptions(String host, int port, String nodeId, String wantedPrefix) {
        this(host, port, nodeId, wantedPrefix, Locality.NONE);
    }
}
