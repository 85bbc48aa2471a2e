package dev.tulle.agent.enrol;

import java.time.Duration;
import java.util.List;

/**
 * A readiness probe.
 *
 * @param check what is tried
 * @param initialDelay before the first try; zero is none
 * @param interval between the start of two tries
 * @param timeout bound on one try
 * @param successes tries that must succeed in a row to become ready
 * @param failures tries that must fail in a row to become unready
 */
public record Probe(
        Check check, Duration initialDelay, Duration interval, Duration timeout, int successes, int failures) {
    /** Kubernetes' default is 10 s; a host has no kubelet to spare, and 1 s makes a start visible soon. */
    public static final Duration DEFAULT_INTERVAL = Duration.ofSeconds(1);

    /** As in Kubernetes. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(1);

    /** As in Kubernetes. */
    public static final int DEFAULT_SUCCESSES = 1;

    /** As in Kubernetes. */
    public static final int DEFAULT_FAILURES = 3;

    /** With default timing. */
    public static Probe of(Check check) {
        return new Probe(check, Duration.ZERO, DEFAULT_INTERVAL, DEFAULT_TIMEOUT, DEFAULT_SUCCESSES, DEFAULT_FAILURES);
    }

    /** What is tried. */
    public sealed interface Check {
        /** A TCP connection opens. */
        record Tcp(int port) implements Check {}

        /** A GET answers with a status of 200 to 399. */
        record Http(int port, String path) implements Check {}

        /**
         * A server of gRPC says that it serves ({@code grpc.health.v1}).
         *
         * @param service whose health is asked for; empty for the server's
         */
        record Grpc(int port, String service) implements Check {}

        /** A command, run in the workload's control group, exits with status 0. */
        record Exec(List<String> command) implements Check {
            public Exec {
                command = List.copyOf(command);
            }
        }
    }
}
