package dev.tulle.agent;

import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.agent.ports.MeshPort;
import dev.tulle.kernel.TcpListener;
import dev.tulle.model.Listener;
import dev.tulle.xds.ResourceType;
import dev.tulle.xds.ResourceWatcher;
import dev.tulle.xds.Subscription;
import dev.tulle.xds.XdsClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;

/**
 * The ports of the mesh's edge: opened as soon as a Gateway wants them and held until none does, for the gateway's process
 * to take, so that they are nobody else's while that starts anew. Owner thread only.
 */
final class GatewayPorts implements AutoCloseable {
    /** Opens listening sockets that belong to the proxy's control group. */
    @FunctionalInterface
    interface Opening {
        void run(Hold hold) throws IOException;
    }

    /** What is done within it. */
    @FunctionalInterface
    interface Hold {
        void run() throws IOException;
    }

    private final HeldPorts held;
    private final Set<Integer> own;
    private final Opening opening;
    private final boolean ipv6;
    private final Runnable changed;
    private final Subscription subscription;
    private List<Integer> wanted = List.of();
    private String trouble = "";

    /** True when what was received last has not been answered. */
    private boolean owesAnswer;

    /**
     * Follows the edge's listener.
     *
     * @param held where the sockets are kept and offered
     * @param own ports that the mesh uses itself
     * @param opening how a socket is opened
     * @param changed told when other ports are wanted, or are held
     */
    GatewayPorts(
            XdsClient xds,
            Executor owner,
            HeldPorts held,
            Set<Integer> own,
            boolean ipv6,
            Opening opening,
            Runnable changed) {
        this.held = held;
        this.own = Set.copyOf(own);
        this.ipv6 = ipv6;
        this.opening = opening;
        this.changed = changed;
        this.subscription = xds.watch(ResourceType.LISTENER, Listener.EDGE, new ResourceWatcher<>() {
            @Override
            public void onChanged(Listener listener) {
                List<Integer> ports =
                        listener.target() instanceof Listener.Target.Edge edge ? edge.ports() : List.<Integer>of();
                owner.execute(() -> want(ports));
            }

            @Override
            public void onAbsent() {
                owner.execute(() -> want(List.of()));
            }

            @Override
            public void onTrouble(String reason) {
                // What is held stays.
            }
        });
    }

    private void want(List<Integer> ports) {
        owesAnswer = true;
        wanted = List.copyOf(ports);
        hold();
        changed.run();
    }

    /** Opens what is missing and gives back what nobody wants. */
    void hold() {
        Set<InetSocketAddress> addresses = new HashSet<>();
        List<String> troubles = new ArrayList<>();
        for (int port : new TreeSet<>(wanted)) {
            if (own.contains(port)) {
                troubles.add("port " + port + " is used by the mesh itself");
            } else {
                addresses.add(new InetSocketAddress(InetAddress.ofLiteral("0.0.0.0"), port));
                if (ipv6) {
                    addresses.add(new InetSocketAddress(InetAddress.ofLiteral("::"), port));
                }
            }
        }
        for (TcpListener listener : held.listeners()) {
            if (!addresses.remove(listener.address())) {
                held.release(listener.address());
            }
        }
        if (!addresses.isEmpty()) {
            open(addresses, troubles);
        }
        trouble = String.join("; ", troubles);
    }

    private void open(Set<InetSocketAddress> addresses, List<String> troubles) {
        try {
            opening.run(() -> {
                for (InetSocketAddress address : addresses) {
                    try {
                        held.hold(address);
                    } catch (IOException e) {
                        troubles.add(String.valueOf(e.getMessage()));
                    }
                }
            });
        } catch (IOException e) {
            troubles.add(String.valueOf(e.getMessage()));
        }
        troubles.sort(String::compareTo);
    }

    /**
     * What of it only the mesh may bind: never a port that could not be had, which stays that of whoever has it, also when
     * he begins anew.
     */
    List<MeshPort> meshPorts() {
        return held.listeners().stream()
                .map(listener -> listener.address().getPort())
                .distinct()
                .sorted()
                .map(MeshPort::published)
                .toList();
    }

    /** Which port cannot be opened and why; empty when all are open. */
    String trouble() {
        return trouble;
    }

    /** Why what was received last is not in force, once for each time; empty when it is. */
    String takeRefusal() {
        String refusal = owesAnswer ? trouble : "";
        owesAnswer = false;
        return refusal;
    }

    /** Tries again, as what was refused is about to be received again. */
    void again() {
        owesAnswer = true;
        List<MeshPort> before = meshPorts();
        hold();
        if (!meshPorts().equals(before)) {
            changed.run();
        }
    }

    @Override
    public void close() {
        subscription.close();
    }
}
