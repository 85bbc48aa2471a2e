package dev.tulle.agent;

import dev.tulle.agent.datapath.KernelPins;
import dev.tulle.agent.enrol.LeaseStore;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.common.Cidr;
import dev.tulle.kernel.TcpListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Whether the addresses and ports that a mesh is about to take are somebody else's on this host: of another mesh, running,
 * stopped with living workloads or killed, or of a network that the host has a route to; and whether the mesh's own living
 * workloads have others.
 */
final class HostConflict {
    private static final Path ROUTES = Path.of("/proc/net/route");
    private static final String OTHER_RANGES = "; give this mesh others with --range and --service-range";

    private HostConflict() {}

    /** The first conflict in one sentence, with what can be done; empty when there is none. */
    static Optional<String> of(AgentOptions options) throws IOException {
        Optional<String> left = outside(Survivors.of(options), options.range());
        if (left.isPresent()) {
            return left;
        }
        Cidr prefix = Files.isDirectory(options.stateDirectory())
                ? Cidr.parse(new LeaseStore(options.stateDirectory())
                                .load()
                                .contents()
                                .prefix())
                        .filter(options.range()::contains)
                        .orElse(options.range().part(24, 0))
                : options.range().part(24, 0);
        List<MeshPort> ports = options.meshPorts();
        for (KernelPins.PinnedMesh other : KernelPins.others(options.pinDirectory())) {
            Optional<String> conflict =
                    withMesh(other, prefix, options.serviceRange(), ports, TcpListener.ownNamespace());
            if (conflict.isPresent()) {
                return conflict;
            }
        }
        List<String> routes = Files.exists(ROUTES) ? Files.readAllLines(ROUTES) : List.of();
        return routes(routes, prefix, options.serviceRange());
    }

    /** The same with what another mesh has pinned; its ports count in their own network namespace alone. */
    static Optional<String> withMesh(
            KernelPins.PinnedMesh other, Cidr prefix, Cidr services, List<MeshPort> ports, long namespace) {
        String has = "those of mesh " + other.name() + " on this host";
        if (overlap(other.prefix(), prefix)) {
            return Optional.of("workload addresses " + prefix + " are " + has + " (" + other.prefix() + ")"
                    + OTHER_RANGES + leftOver(other));
        }
        if (overlap(other.services(), services)) {
            return Optional.of("service addresses " + services + " overlap " + has + " (" + other.services() + ")"
                    + OTHER_RANGES + leftOver(other));
        }
        return ports.stream()
                .filter(mine -> other.ports().stream().anyMatch(theirs -> theirs.keeps(mine, namespace)))
                .findFirst()
                .map(mine -> (mine.udp() ? "UDP port " : "TCP port ") + mine.number() + " is kept by mesh "
                        + other.name() + " of this host; give this mesh others with --port-offset" + leftOver(other));
    }

    /** What is in the kernel stays when a mesh is killed, or stopped while workloads of it run. */
    private static String leftOver(KernelPins.PinnedMesh other) {
        return ", or, if mesh " + other.name() + " is not to come back, take it out of the kernel with"
                + " 'tulle detach --all --mesh " + other.name() + "'";
    }

    /** Workloads that live on at addresses of another range: nobody would guard those, nor serve them. */
    static Optional<String> outside(List<MeshEnd.Survivor> living, Cidr range) {
        return living.stream()
                .filter(workload -> !range.contains(workload.address()))
                .findFirst()
                .map(workload -> "workload " + workload.workload() + " still runs and has the address "
                        + workload.address() + ", which is not of " + range
                        + ": end it first, or keep the range that the mesh had");
    }

    /** The same of the lines of the kernel's table of IPv4 routes. */
    static Optional<String> routes(List<String> lines, Cidr prefix, Cidr services) {
        for (Route route : parse(lines)) {
            for (Cidr mine : List.of(prefix, services)) {
                if (overlap(route.to(), mine)) {
                    return Optional.of("addresses " + mine + " overlap the host's route to " + route.to() + " through "
                            + route.device() + OTHER_RANGES);
                }
            }
        }
        return Optional.empty();
    }

    private record Route(String device, Cidr to) {}

    private static List<Route> parse(List<String> lines) {
        List<Route> routes = new ArrayList<>();
        for (String line : lines.subList(Math.min(1, lines.size()), lines.size())) {
            String[] fields = line.strip().split("\\s+");
            if (fields.length > 7 && !fields[0].equals("lo")) {
                int to = Integer.reverseBytes(Integer.parseUnsignedInt(fields[1], 16));
                int bits = Integer.bitCount(Integer.parseUnsignedInt(fields[7], 16));
                if (bits > 0) {
                    routes.add(new Route(fields[0], new Cidr(to, bits)));
                }
            }
        }
        return routes;
    }

    static boolean overlap(Cidr one, Cidr other) {
        return one.contains(other) || other.contains(one);
    }
}
