package dev.tulle.control;

import dev.tulle.common.LocalUsers;
import dev.tulle.identity.authority.AuthorityOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * How the control plane runs.
 *
 * @param configDirectory the directory of manifests; default {@code <state>/config}
 * @param stateDirectory what survives a restart; default {@code /var/lib/tulle}
 * @param socket the local API; default {@code /run/tulle/control.sock}
 * @param xdsSocket xDS and registration; default {@code xds.sock} beside {@code socket}
 * @param users who may use the sockets; default root alone
 * @param httpPort metrics and readiness, on the loopback; default 15014; 0 for any free port
 * @param nodePort where other hosts speak with it over TLS, while nodes are expected; default 15012
 * @param authority the certificate authority; default one of its own in {@code <state>/authority}
 * @param workloadRange nodes' prefixes are leased from it; default 100.64.0.0/10
 * @param serviceRange services' virtual addresses are taken from it; default 240.240.0.0/16
 * @param leaseTimeout workloads of a node stay this long after its stream ended; default 30 s
 * @param grace after a start, nodes that had workloads get this long to come back before anything is sent; default 15 s
 * @param debounce changes of registrations and files within this time are one; default 10 ms
 */
public record ControlOptions(
        Path configDirectory,
        Path stateDirectory,
        Path socket,
        Path xdsSocket,
        LocalUsers users,
        int httpPort,
        int nodePort,
        AuthorityOptions authority,
        String workloadRange,
        String serviceRange,
        Duration leaseTimeout,
        Duration grace,
        Duration debounce) {
    /** The state directory of a host's one mesh. */
    public static final Path DEFAULT_STATE_DIRECTORY = Path.of("/var/lib/tulle");

    /** What is in a state directory of a mesh. */
    static final List<String> STATE_MARKS = List.of("node-leases.json", "service-addresses.json", "leases.json");

    /** The local API of a host's one mesh. */
    public static final Path DEFAULT_SOCKET = Path.of("/run/tulle/control.sock");

    /** Where what Secrets hold is for the proxies to read; beside {@code socket}. */
    Path secrets() {
        return socket.resolveSibling("secrets");
    }

    /** Everything at its default. */
    public static ControlOptions defaults() {
        return of(DEFAULT_STATE_DIRECTORY, DEFAULT_SOCKET);
    }

    /** The defaults, with the configuration below the state directory. */
    public static ControlOptions of(Path stateDirectory, Path socket) {
        return new ControlOptions(
                stateDirectory.resolve("config"),
                stateDirectory,
                socket,
                socket.resolveSibling("xds.sock"),
                LocalUsers.ROOT,
                15014,
                15012,
                AuthorityOptions.of(stateDirectory.resolve("authority")),
                "100.64.0.0/10",
                "240.240.0.0/16",
                Duration.ofSeconds(30),
                Duration.ofSeconds(15),
                Duration.ofMillis(10));
    }

    /** The same with another directory of manifests. */
    public ControlOptions withConfigDirectory(Path directory) {
        return new ControlOptions(
                directory,
                stateDirectory,
                socket,
                xdsSocket,
                users,
                httpPort,
                nodePort,
                authority,
                workloadRange,
                serviceRange,
                leaseTimeout,
                grace,
                debounce);
    }

    /** The same with another port for metrics and readiness. */
    public ControlOptions withHttpPort(int http) {
        return new ControlOptions(
                configDirectory,
                stateDirectory,
                socket,
                xdsSocket,
                users,
                http,
                nodePort,
                authority,
                workloadRange,
                serviceRange,
                leaseTimeout,
                grace,
                debounce);
    }

    /** The same for other users. */
    public ControlOptions withUsers(LocalUsers newUsers) {
        return new ControlOptions(
                configDirectory,
                stateDirectory,
                socket,
                xdsSocket,
                newUsers,
                httpPort,
                nodePort,
                authority,
                workloadRange,
                serviceRange,
                leaseTimeout,
                grace,
                debounce);
    }

    /** The same with other address ranges. */
    public ControlOptions withRanges(String workloads, String services) {
        return new ControlOptions(
                configDirectory,
                stateDirectory,
                socket,
                xdsSocket,
                users,
                httpPort,
                nodePort,
                authority,
                workloads,
                services,
                leaseTimeout,
                grace,
                debounce);
    }

    /** The same with other times. */
    public ControlOptions withTimes(Duration newLeaseTimeout, Duration newGrace) {
        return new ControlOptions(
                configDirectory,
                stateDirectory,
                socket,
                xdsSocket,
                users,
                httpPort,
                nodePort,
                authority,
                workloadRange,
                serviceRange,
                newLeaseTimeout,
                newGrace,
                debounce);
    }

    /** The same with another port for nodes. */
    public ControlOptions withNodePort(int port) {
        return new ControlOptions(
                configDirectory,
                stateDirectory,
                socket,
                xdsSocket,
                users,
                httpPort,
                port,
                authority,
                workloadRange,
                serviceRange,
                leaseTimeout,
                grace,
                debounce);
    }

    /** The same with another certificate authority. */
    public ControlOptions withAuthority(AuthorityOptions other) {
        return new ControlOptions(
                configDirectory,
                stateDirectory,
                socket,
                xdsSocket,
                users,
                httpPort,
                nodePort,
                other,
                workloadRange,
                serviceRange,
                leaseTimeout,
                grace,
                debounce);
    }
}
