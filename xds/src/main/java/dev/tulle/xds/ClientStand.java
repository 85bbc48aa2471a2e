package dev.tulle.xds;

import java.util.List;

/**
 * How a client stands to a snapshot when the server is asked.
 *
 * @param client {@code node/role}
 * @param stand the answer
 * @param detail for people: what is missing; empty when nothing is
 * @param refusals what it has been sent and does not use, of this snapshot or an earlier one
 */
public record ClientStand(String client, Stand stand, String detail, List<Refusal> refusals) {
    public ClientStand {
        refusals = List.copyOf(refusals);
    }

    /** Whether a client has answered. */
    public enum Stand {
        /** It has answered everything that it subscribed to: it uses that, but for what it refused. */
        ANSWERED,
        /** It is connected and has not answered everything. */
        SILENT,
        /** It was connected lately and is not now: what it enforces is what it had. */
        AWAY
    }
}
