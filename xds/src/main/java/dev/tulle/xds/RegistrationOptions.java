package dev.tulle.xds;

import dev.tulle.model.Locality;
import java.nio.file.Path;

/**
 * Where and as which node an agent registers.
 *
 * @param control where the control plane serves
 * @param nodeId the name of the node; unique in the mesh and the same over restarts
 * @param wantedPrefix the prefix that the node already uses, for example {@code 100.64.3.0/24}, empty when it has none;
 *     granted when it is in the range and no other node holds it, so that a lost control plane state moves nobody
 * @param locality where the node is
 * @param address where other nodes reach it; empty when it is reached by none
 */
public record RegistrationOptions(
        ControlAddress control, String nodeId, String wantedPrefix, Locality locality, String address) {
    /** A node on the control plane's host, which no other one reaches. */
    public RegistrationOptions(Path socket, String nodeId, String wantedPrefix, Locality locality) {
        this(ControlAddress.of(socket), nodeId, wantedPrefix, locality, "");
    }

    /** A node that does not say where it is. */
    public RegistrationOptions(Path socket, String nodeId, String wantedPrefix) {
        this(ControlAddress.of(socket), nodeId, wantedPrefix, Locality.NONE, "");
    }
}
