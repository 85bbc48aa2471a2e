package dev.tulle.xds;

import java.time.Instant;
import java.util.List;

/**
 * A connected client as the server sees it.
 *
 * @param node the node's name
 * @param role what it is on that node
 * @param software what it says it runs
 * @param peer its address
 * @param since when its stream began
 * @param variant {@code delta} or {@code sotw}
 * @param snapshot the number of the last snapshot that was sent to it in full
 * @param synced true when it has answered everything that it subscribed to
 * @param types one entry per resource type
 */
public record XdsClientState(
        String node,
        String role,
        String software,
        String peer,
        Instant since,
        String variant,
        long snapshot,
        boolean synced,
        List<TypeState> types) {
    public XdsClientState {
        types = List.copyOf(types);
    }

    /**
     * One resource type of a client.
     *
     * @param type Envoy's abbreviation ({@code cds}, {@code eds}, {@code lds}, {@code rds}, {@code wds}) or the type URL
     * @param wildcard true when it wants all
     * @param names the names it asked for
     * @param sent resources that it has been sent and not told to remove
     * @param pending responses that it has not answered
     * @param acked responses that it accepted
     * @param nacked responses that it refused
     * @param synced true when it has everything and answered everything
     * @param lastRejection what it said to the last one that it refused; empty when it refused none
     */
    public record TypeState(
            String type,
            boolean wildcard,
            int names,
            int sent,
            int pending,
            long acked,
            long nacked,
            boolean synced,
            String lastRejection) {}
}
