package dev.tulle.xds;

import java.time.Instant;
import java.util.Optional;

/**
 * The state of a node's registration.
 *
 * @param connected true when the stream is open and the lease granted on it
 * @param since when {@code connected} last changed
 * @param lease the last lease
 * @param workloads announced workloads
 * @param unanswered announced workloads that the control plane has not answered on the current stream
 * @param lastTrouble why the last stream ended; empty when none did
 */
public record RegistrationStatus(
        boolean connected,
        Instant since,
        Optional<NodeLease> lease,
        int workloads,
        int unanswered,
        String lastTrouble) {}
