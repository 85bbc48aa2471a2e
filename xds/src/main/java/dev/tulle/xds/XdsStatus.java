package dev.tulle.xds;

import java.time.Instant;
import java.util.List;

/**
 * The state of an xDS client.
 *
 * @param server where the control plane is, {@code host:port}
 * @param connected true when a stream is open and the control plane has answered on it
 * @param since when {@code connected} last changed
 * @param lastTrouble why the last stream ended or could not be opened; empty when there was none
 * @param connects streams that the control plane answered on, since the start
 * @param types one entry per resource type that was ever subscribed to
 */
public record XdsStatus(
        String server, boolean connected, Instant since, String lastTrouble, long connects, List<TypeStatus> types) {
    public XdsStatus {
        types = List.copyOf(types);
    }

    /**
     * The state of one resource type.
     *
     * @param type the label of the type
     * @param watched names being watched
     * @param present those that exist
     * @param waiting those that the control plane has not answered yet
     * @param accepted responses that were accepted in full
     * @param rejected responses of which at least one resource was refused
     * @param lastRejection why the last one was refused, empty when none was
     */
    public record TypeStatus(
            String type, int watched, int present, int waiting, long accepted, long rejected, String lastRejection) {}
}
