package dev.tulle.xds;

import dev.tulle.model.Locality;
import java.nio.file.Path;

/**
 * Where and as which node an agent registers.
 *
 * @param socket the control plane's socket, {@code xds.sock} in the run directory
 * @param nodeId the name of the node; unique in the mesh and the same over restarts
 * @param wantedPrefix the prefix that the node already uses, for example {@code 100.64.3.0/24}, empty when it has none;
 *     granted when it is in the range and no other node holds it, so that a lost control plane state moves nobody
 * @param locality where the node is
 */
public record RegistrationOptions(Path socket, String nodeId, String wantedPrefix, Locality locality) {
    /** A node that does not say where it is. */
    public RegistrationOptions(Path socket, String nodeId, String wantedPrefix) {
        this(socket, nodeId, wantedPrefix, Locality.NONE);
    }
}
