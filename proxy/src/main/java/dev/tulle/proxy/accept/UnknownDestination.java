package dev.tulle.proxy.accept;

import dev.tulle.common.Ip;
import dev.tulle.model.Endpoint;
import dev.tulle.model.NodePlace;
import dev.tulle.model.Workload;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.PolicyDirectory;
import dev.tulle.proxy.discovery.WorkloadAddresses;
import dev.tulle.proxy.loop.TimerWheel;
import dev.tulle.proxy.tcp.PassthroughTarget;
import dev.tulle.proxy.upstream.EndpointAccess;
import dev.tulle.proxy.upstream.Way;
import io.netty.channel.Channel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of a connection whose destination is no service of the mesh: an address outside of it is passed through, as
 * far as that is wanted, a workload's own address is reached where the workload is. Loop-confined.
 */
final class UnknownDestination {
    private final LoopScope scope;
    private final Channel channel;
    private final InetSocketAddress destination;
    private final OutboundService service;
    private final Consumer<PassthroughTarget> pass;
    private final Consumer<String> refuse;

    private UnknownDestination(
            LoopScope scope,
            Channel channel,
            InetSocketAddress destination,
            OutboundService service,
            Consumer<PassthroughTarget> pass,
            Consumer<String> refuse) {
        this.scope = scope;
        this.channel = channel;
        this.destination = destination;
        this.service = service;
        this.pass = pass;
        this.refuse = refuse;
    }

    /**
     * Finds out, at once or later.
     *
     * @param service the one that there is not, or of which nothing is known
     * @param pass called with where the connection goes, unless
     * @param refuse is, with the reason
     */
    static void find(
            LoopScope scope,
            Channel channel,
            InetSocketAddress destination,
            OutboundService service,
            Consumer<PassthroughTarget> pass,
            Consumer<String> refuse) {
        UnknownDestination unknown = new UnknownDestination(scope, channel, destination, service, pass, refuse);
        WorkloadAddresses workloads = scope.addresses();
        if (workloads != null && scope.isOfMesh(destination.getAddress())) {
            unknown.ask(workloads);
        } else {
            unknown.goOn();
        }
    }

    private void goOn() {
        if (scope.passesUnknown() && !isVirtual(destination.getAddress())) {
            pass.accept(outside());
        } else {
            refuse.accept(service.state() == OutboundService.State.ABSENT ? "unknown_service" : "control_plane_silent");
        }
    }

    /** A workload's own address was dialled: where that is decides how it is reached. */
    private void ask(WorkloadAddresses workloads) {
        WorkloadAddresses.Addressed there = workloads.retain(Ip.text(destination.getAddress()));
        if (there == null) {
            refuse.accept("control_plane_silent");
            return;
        }
        TimerWheel.Timer patience = new TimerWheel.Timer() {
            @Override
            protected void expired() {
                refuse.accept("control_plane_silent");
            }
        };
        scope.worker().timers().set(patience, System.nanoTime() + scope.onDemandNanos());
        channel.closeFuture().addListener(closed -> {
            scope.worker().timers().remove(patience);
            there.release();
        });
        there.whenKnown(() -> scope.onLoop(() -> {
            if (channel.isActive()) {
                scope.worker().timers().remove(patience);
                reach(there.workload());
            }
        }));
    }

    private void reach(@Nullable Workload workload) {
        Endpoint end = endpoint().on(workload == null ? NodePlace.NONE : workload.place());
        Way way = scope.upstreams().way(end);
        if (way == null) {
            goOn();
            return;
        }
        EndpointAccess access = new EndpointAccess(
                scope.worker(), scope.policies(), scope.policies().of(end), destination.getPort(), true);
        pass.accept(new PassthroughTarget(destination, way, scope.upstreams().tunnelled(end), access));
    }

    private Endpoint endpoint() {
        return new Endpoint(Ip.text(destination.getAddress()), destination.getPort(), 1, true, "", "");
    }

    /** The address may still be a workload's own: its policies hold for whoever dials it. */
    private PassthroughTarget outside() {
        PolicyDirectory policies = scope.policies();
        // What is said of an address of the mesh is waited for; outside of it the outbound policy decides alone.
        boolean mayBeGuarded =
                service.state() == OutboundService.State.ABSENT || scope.isOfMesh(destination.getAddress());
        EndpointAccess access = new EndpointAccess(
                scope.worker(),
                policies,
                mayBeGuarded ? policies.of(endpoint()) : policies.none(),
                destination.getPort());
        return new PassthroughTarget(destination, scope.passthrough(), access);
    }

    /** Addresses that exist only inside the mesh: nothing outside answers there. */
    static boolean isVirtual(InetAddress address) {
        byte[] b = address.getAddress();
        return b.length == 4 ? (b[0] & 0xf0) == 0xf0 : (b[0] & 0xff) == 0xfd && b[1] == 0x74 && b[2] == 0x75;
    }
}
