package dev.tulle.proxy;

import dev.tulle.common.FreePorts;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.RouteConfiguration;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** Gateways for tests. */
final class Edges {
    private Edges() {}

    /** A mesh with an edge of these chains, none for no edge, and tables for them. */
    static MeshState edge(MeshState mesh, List<Listener.Target.Chain> chains, List<RouteConfiguration> tables) {
        return edge(mesh, chains, Set.of(), tables);
    }

    /** The same, with ports at which connections begin with a header of the PROXY protocol. */
    static MeshState edge(
            MeshState mesh,
            List<Listener.Target.Chain> chains,
            Set<Integer> announced,
            List<RouteConfiguration> tables) {
        Map<String, Listener> listeners = new HashMap<>(mesh.listeners());
        Map<String, RouteConfiguration> routes = new HashMap<>(mesh.routes());
        if (!chains.isEmpty()) {
            listeners.put(
                    Listener.EDGE,
                    new Listener(
                            Listener.EDGE,
                            "0.0.0.0",
                            chains.getFirst().port(),
                            "",
                            new Listener.Target.Edge(chains, announced)));
        }
        tables.forEach(table -> routes.put(table.name(), table));
        return new MeshState(
                mesh.services(),
                mesh.workloads(),
                listeners,
                routes,
                mesh.clusters(),
                mesh.endpoints(),
                mesh.policies());
    }

    /** What a gateway for a test has. */
    static ProxyOptions.Builder options() {
        return ProxyOptions.builder()
                .role(ProxyOptions.Role.GATEWAY)
                .workers(2)
                .outbound(List.of(), -1)
                .explicit("127.0.0.1", -1)
                .probes("127.0.0.1", 0, 0)
                .drain(Duration.ofSeconds(5));
    }

    /** A gateway whose buffers are watched. */
    static NodeProxy start(FakeXds xds) throws IOException {
        Leaks.watch();
        return NodeProxy.start(options().build(), xds);
    }

    /** Waits until a port is served. */
    static void await(int port) throws IOException, InterruptedException {
        for (int i = 0; ; i++) {
            try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return;
            } catch (SocketException e) {
                if (i == 250) {
                    throw e;
                }
                Thread.sleep(20);
            }
        }
    }

    /** A port that nobody has, below those that the kernel gives to connections until it is opened. */
    static int freePort() {
        return ThreadLocalRandom.current()
                .ints(20_000, 32_000)
                .filter(FreePorts::isFree)
                .findFirst()
                .orElseThrow();
    }
}
