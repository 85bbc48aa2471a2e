package dev.tulle.control;

import dev.tulle.common.LocalUsers;
import dev.tulle.identity.authority.AuthorityOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * How the control plane runs.
 *
 * @param places its directories and sockets
 * @param users who may use the sockets; default root alone
 * @param ports where it is reached over TCP
 * @param authority the certificate authority; default one of its own in {@code <state>/authority}
 * @param ranges the mesh's addresses
 * @param times how long it waits for what
 */
public record ControlOptions(
        Places places, LocalUsers users, Ports ports, AuthorityOptions authority, Ranges ranges, Times times) {
    /** The state directory of a host's one mesh. */
    public static final Path DEFAULT_STATE_DIRECTORY = Path.of("/var/lib/tulle");

    /** What is in a state directory of a mesh. */
    static final List<String> STATE_MARKS = List.of("node-leases.json", "service-addresses.json", "leases.json");

    /** The local API of a host's one mesh. */
    public static final Path DEFAULT_SOCKET = Path.of("/run/tulle/control.sock");

    /**
     * Directories and sockets.
     *
     * @param config the directory of manifests; default {@code <state>/config}
     * @param state what survives a restart; default {@code /var/lib/tulle}
     * @param socket the local API; default {@code /run/tulle/control.sock}
     * @param xdsSocket xDS and registration; default {@code xds.sock} beside {@code socket}
     */
    public record Places(Path config, Path state, Path socket, Path xdsSocket) {
        /** Where what Secrets hold is for the proxies to read; beside {@code socket}. */
        Path secrets() {
            return socket.resolveSibling("secrets");
        }
    }

    /**
     * TCP ports; 0 for any free one.
     *
     * @param http metrics and readiness, on the loopback; default 15014
     * @param node where other hosts speak with it over TLS, while nodes are expected; default 15012
     */
    public record Ports(int http, int node) {}

    /**
     * The mesh's addresses, in CIDR notation.
     *
     * @param workloads nodes' prefixes are leased from it; default 100.64.0.0/10
     * @param services services' virtual addresses are taken from it; default 240.240.0.0/16
     */
    public record Ranges(String workloads, String services) {}

    /**
     * How long it waits.
     *
     * @param lease workloads of a node stay this long after its stream ended; default 30 s
     * @param grace after a start, nodes that had workloads get this long to come back before anything is sent; default 15 s
     * @param debounce changes of registrations and files within this time are one; default 10 ms
     */
    public record Times(Duration lease, Duration grace, Duration debounce) {}

    /** Everything at its default. */
    public static ControlOptions defaults() {
        return of(DEFAULT_STATE_DIRECTORY, DEFAULT_SOCKET);
    }

    /** The defaults, with the configuration below the state directory. */
    public static ControlOptions of(Path stateDirectory, Path socket) {
        return new ControlOptions(
                new Places(stateDirectory.resolve("config"), stateDirectory, socket, socket.resolveSibling("xds.sock")),
                LocalUsers.ROOT,
                new Ports(15014, 15012),
                AuthorityOptions.of(stateDirectory.resolve("authority")),
                new Ranges("100.64.0.0/10", "240.240.0.0/16"),
                new Times(Duration.ofSeconds(30), Duration.ofSeconds(15), Duration.ofMillis(10)));
    }

    /** The same with another directory of manifests. */
    public ControlOptions withConfigDirectory(Path directory) {
        Places other = new Places(directory, places.state, places.socket, places.xdsSocket);
        return new ControlOptions(other, users, ports, authority, ranges, times);
    }

    /** The same with another port for metrics and readiness. */
    public ControlOptions withHttpPort(int port) {
        return new ControlOptions(places, users, new Ports(port, ports.node), authority, ranges, times);
    }

    /** The same with another port for nodes. */
    public ControlOptions withNodePort(int port) {
        return new ControlOptions(places, users, new Ports(ports.http, port), authority, ranges, times);
    }

    /** The same for other users. */
    public ControlOptions withUsers(LocalUsers other) {
        return new ControlOptions(places, other, ports, authority, ranges, times);
    }

    /** The same with another certificate authority. */
    public ControlOptions withAuthority(AuthorityOptions other) {
        return new ControlOptions(places, users, ports, other, ranges, times);
    }

    /** The same with other address ranges, in CIDR notation. */
    public ControlOptions withRanges(String workloads, String services) {
        return new ControlOptions(places, users, ports, authority, new Ranges(workloads, services), times);
    }

    /** The same with other times. */
    public ControlOptions withTimes(Duration lease, Duration grace) {
        return new ControlOptions(places, users, ports, authority, ranges, new Times(lease, grace, times.debounce));
    }
}
