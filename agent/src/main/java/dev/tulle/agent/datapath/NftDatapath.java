package dev.tulle.agent.datapath;

import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.agent.host.NetPlan;
import dev.tulle.agent.host.Shell;
import dev.tulle.agent.service.Guards;
import dev.tulle.agent.service.ServiceView;
import dev.tulle.agent.tier.HookStatus;
import dev.tulle.agent.tier.Tier;
import dev.tulle.common.Cidr;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.Conntrack;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The tier {@link Tier#NFTABLES}: connections to service addresses, and DNS, are redirected by the control group of their
 * socket. All services go through the node proxy, which has the original destination from connection tracking; workloads
 * share 127.0.0.1. Owner thread only.
 */
public final class NftDatapath implements Datapath {
    private final String table;
    private final Cgroups cgroups;
    private final String meshGroup;
    private String loaded = "";

    /**
     * For one mesh.
     *
     * @param table the nftables table's name, the mesh's
     */
    public NftDatapath(String table, Cgroups cgroups, String meshGroup) {
        this.table = table;
        this.cgroups = cgroups;
        this.meshGroup = meshGroup;
    }

    @Override
    public Tier tier() {
        return Tier.NFTABLES;
    }

    /**
     * Why this host cannot use the tier; empty when it can. Loads a table of its own with a rule of the kind that is
     * needed and removes it at once, and asks connection tracking, which alone knows whose a redirected connection is.
     */
    public static Optional<String> obstacle(String mesh, Cgroups cgroups, String existingGroup) {
        if (NftRules.path(cgroups.mount(), existingGroup).isEmpty()) {
            return Optional.of("cgroup v2 is mounted at " + cgroups.mount() + ", nft looks below /sys/fs/cgroup only");
        }
        String trial = mesh + "-trial";
        try {
            String rules = NftRules.table(
                    trial, cgroups.mount(), List.of(existingGroup), Cidr.of("trial", "240.255.255.0/24"), 1, 1);
            Shell.Outcome outcome = nft(rules + NftRules.removal(trial));
            return outcome.ok() ? untracked() : Optional.of(outcome.trouble());
        } catch (IOException e) {
            return Optional.of("nft cannot be run: " + e.getMessage());
        }
    }

    private static Optional<String> untracked() {
        InetSocketAddress nobody = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        try (Conntrack tracked = Conntrack.open()) {
            tracked.original(nobody, nobody);
            return Optional.empty();
        } catch (BpfException e) {
            return Optional.of("connection tracking cannot be asked: " + e.getMessage());
        }
    }

    private static Shell.Outcome nft(String rules) throws IOException {
        return Shell.run(List.of("nft", "-f", "-"), rules, Shell.TIMEOUT);
    }

    @Override
    public void apply(MeshNetwork network, List<Lease> leases, List<ServiceView> services, Guards guards)
            throws IOException {
        new HostNetwork(network.prefix(), network.services(), network.range6())
                .reconcile(NetPlan.ofServices(network.services()));
        List<String> groups = new ArrayList<>();
        groups.add(meshGroup + "/workloads");
        for (Lease lease : leases) {
            if (lease.live() && !lease.ownGroup() && cgroups.exists(lease.group())) {
                groups.add(lease.group());
            }
        }
        String rules = NftRules.table(
                table, cgroups.mount(), groups, network.services(), network.outboundPort(), network.dnsPort());
        // The groups' numbers count, not only their names: a group may have been made anew.
        StringBuilder identity = new StringBuilder(rules);
        for (String group : groups) {
            identity.append(cgroups.id(group)).append(' ');
        }
        if (identity.toString().equals(loaded)
                && Shell.run("nft", "list", "table", "inet", table).ok()) {
            return;
        }
        nft(rules).orThrow();
        loaded = identity.toString();
    }

    /** Removes the table; nothing happens when there is none or nft is missing. */
    public static void remove(String table) throws IOException {
        if (Shell.run("nft", "list", "table", "inet", table).ok()) {
            nft(NftRules.removal(table)).orThrow();
        }
    }

    @Override
    public List<HookStatus> hooks() {
        return List.of(new HookStatus("nft output", !loaded.isEmpty(), "table inet " + table));
    }

    @Override
    public long[] counters() {
        return new long[0];
    }

    @Override
    public void close() {
        // The table stays in force.
    }
}
