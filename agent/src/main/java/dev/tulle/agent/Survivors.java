package dev.tulle.agent;

import dev.tulle.agent.datapath.KernelPins;
import dev.tulle.agent.datapath.NftDatapath;
import dev.tulle.agent.enrol.EnrolSpec.Publication;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.LeaseStore;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.ports.DnsPorts;
import dev.tulle.common.Ip;
import dev.tulle.kernel.BpfException;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The end of a mesh whose agent has closed: as long as workloads run, what carries them stays; otherwise every trace goes.
 * The caller makes sure that no agent of the mesh runs.
 */
final class Survivors {
    private static final System.Logger LOG = System.getLogger(Survivors.class.getName());

    /** How long a process may take from being killed to being gone. */
    private static final Duration DYING = Duration.ofMillis(300);

    private Survivors() {}

    /** Ends the mesh: suspends it when workloads run, removes it otherwise. */
    static MeshEnd end(AgentOptions options) {
        List<MeshEnd.Survivor> living;
        try {
            living = patiently(options);
        } catch (IOException e) {
            return new MeshEnd.Suspended(
                    List.of(), List.of(), List.of("whether workloads still run cannot be told: " + e.getMessage()));
        }
        return living.isEmpty() ? new MeshEnd.Removed(Traces.remove(options, true)) : suspend(options, living);
    }

    /** A process that was killed a moment before is still counted until the kernel has taken it down. */
    private static List<MeshEnd.Survivor> patiently(AgentOptions options) throws IOException {
        long end = System.nanoTime() + DYING.toNanos();
        List<MeshEnd.Survivor> living = of(options);
        while (!living.isEmpty() && System.nanoTime() < end) {
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return living;
            }
            living = of(options);
        }
        return living;
    }

    /**
     * The workloads of a mesh whose processes run now, by the leases on disk.
     *
     * @throws IOException when control groups or leases cannot be read
     */
    static List<MeshEnd.Survivor> of(AgentOptions options) throws IOException {
        if (!Files.isDirectory(options.stateDirectory())) {
            return List.of();
        }
        Cgroups cgroups = Cgroups.at(options.cgroupRoot());
        List<MeshEnd.Survivor> living = new ArrayList<>();
        for (Lease lease :
                new LeaseStore(options.stateDirectory()).load().contents().leases()) {
            if (runs(lease, cgroups)) {
                living.add(survivor(lease));
            }
        }
        living.sort(Comparator.comparing(MeshEnd.Survivor::workload));
        return living;
    }

    private static boolean runs(Lease lease, Cgroups cgroups) throws IOException {
        try {
            boolean same =
                    cgroups.exists(lease.group()) && (lease.ofUnit() || cgroups.id(lease.group()) == lease.groupId());
            return same && cgroups.populated(lease.group());
        } catch (IOException e) {
            if (!cgroups.exists(lease.group())) {
                return false;
            }
            throw e;
        }
    }

    private static MeshEnd.Survivor survivor(Lease lease) {
        return new MeshEnd.Survivor(
                lease.key(),
                lease.addressText(),
                lease.spec().ports().stream()
                        .map(port -> port.protocol().name().toLowerCase(Locale.ROOT) + ":" + port.number())
                        .toList(),
                lease.spec().publications().stream().map(Publication::port).toList());
    }

    private static MeshEnd suspend(AgentOptions options, List<MeshEnd.Survivor> living) {
        List<String> troubles = new ArrayList<>();
        List<Integer> lent = List.of();
        try {
            KernelPins.suspend(options.pinDirectory());
        } catch (BpfException e) {
            troubles.add("names outside the mesh may not resolve for workloads: " + e.getMessage());
        }
        try {
            lent = List.copyOf(KernelPins.lend(options.pinDirectory(), lenders(options)));
        } catch (BpfException | IOException e) {
            troubles.add("workloads are not reached at the host's addresses: " + e.getMessage());
        }
        try {
            // Nobody takes the place of the agent: look-ups that come nevertheless are refused at once.
            DnsPorts.end(Cgroups.at(options.cgroupRoot()), options.keeperGroup());
        } catch (IOException e) {
            troubles.add("look-ups: " + e.getMessage());
        }
        try {
            // Connections that it has turned to the proxy have ended with the proxy; new ones go where they are meant.
            NftDatapath.remove(options.meshName());
        } catch (IOException e) {
            troubles.add("nftables: " + e.getMessage());
        }
        troubles.forEach(trouble -> LOG.log(System.Logger.Level.WARNING, trouble));
        return new MeshEnd.Suspended(living, lent, troubles);
    }

    /** The workloads that run, by their addresses. */
    private static Map<InetAddress, KernelPins.Lender> lenders(AgentOptions options) throws IOException {
        Cgroups cgroups = Cgroups.at(options.cgroupRoot());
        Map<InetAddress, KernelPins.Lender> lenders = new HashMap<>();
        for (Lease lease :
                new LeaseStore(options.stateDirectory()).load().contents().leases()) {
            if (!runs(lease, cgroups)) {
                continue;
            }
            List<Long> all = new ArrayList<>();
            addProcesses(cgroups, lease.group(), all);
            Ip.parse(lease.addressText()).ifPresent(address -> {
                KernelPins.Lender lender = new KernelPins.Lender(lease.id(), address, all);
                lenders.put(address, lender);
                if (!options.range6().isEmpty()) {
                    Ip.parse(Ip.twin(options.range6(), lease.address())).ifPresent(twin -> lenders.put(twin, lender));
                }
            });
        }
        return lenders;
    }

    private static void addProcesses(Cgroups cgroups, String group, List<Long> to) throws IOException {
        to.addAll(cgroups.processes(group));
        for (String child : cgroups.children(group)) {
            addProcesses(cgroups, child, to);
        }
    }
}
