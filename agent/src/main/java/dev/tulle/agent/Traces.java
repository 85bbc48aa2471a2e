package dev.tulle.agent;

import com.google.gson.JsonObject;
import dev.tulle.agent.datapath.KernelPins;
import dev.tulle.agent.datapath.NftDatapath;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.enrol.LeaseStore;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.HostNetwork;
import dev.tulle.agent.host.NetPlan;
import dev.tulle.agent.ports.DnsPorts;
import dev.tulle.agent.ports.HeldPorts;
import dev.tulle.common.Cidr;
import dev.tulle.common.LocalApiClient;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Removes everything that a mesh has put into this host: programs, links, maps, pins, the nftables table, routes,
 * addresses, control groups and the bpf file system if it was mounted for it. Works with and without a running agent, and
 * again and again. What workloads run goes on, outside the mesh.
 */
final class Traces {
    private static final System.Logger LOG = System.getLogger(Traces.class.getName());
    private static final int WAIT_MILLIS = 10_000;

    private Traces() {}

    /** Where it is noted that the bpf file system was mounted by an agent. */
    static Path bpfMountMark(AgentOptions options) {
        return options.stateDirectory().resolve("bpf-mounted");
    }

    /** One step, which does not keep the others from being tried. */
    @FunctionalInterface
    private interface Step {
        void run() throws IOException;
    }

    /**
     * Removes everything.
     *
     * @param keepUnits whether enrolments of units stay on disk, for the next start of the mesh
     * @return what could not be removed, one sentence each; empty when nothing is left
     */
    static List<String> remove(AgentOptions options, boolean keepUnits) {
        List<String> left = new ArrayList<>();
        askRunningAgent(options, left);
        Optional<KernelPins.PinnedMesh> pinned = KernelPins.mesh(options.pinDirectory());
        step(left, "programs and pins", () -> KernelPins.remove(options.pinDirectory()));
        step(left, "nftables", () -> NftDatapath.remove(options.meshName()));
        step(left, "addresses and routes", () -> removeAddresses(options, pinned));
        step(left, "control groups", () -> {
            Cgroups cgroups = Cgroups.at(options.cgroupRoot());
            DnsPorts.end(cgroups, options.keeperGroup());
            cgroups.remove(options.meshGroup(), "/");
        });
        step(left, "bpf file system", () -> unmount(options));
        step(left, "leases", () -> {
            if (Files.isDirectory(options.stateDirectory())) {
                LeaseStore store = new LeaseStore(options.stateDirectory());
                LeaseStore.Contents contents = store.load().contents();
                List<Lease> kept = contents.leases().stream()
                        .filter(lease -> keepUnits && lease.ofUnit())
                        .map(lease -> lease.with(Lease.State.DORMANT))
                        .toList();
                store.save(new LeaseStore.Contents(contents.prefix(), kept, contents.memory()));
            }
        });
        step(left, "run directory", () -> {
            for (String name : List.of(
                    "agent.sock",
                    "node.sock",
                    "sds.sock",
                    "workload.sock",
                    HeldPorts.SOCKET,
                    HeldPorts.GATEWAY_SOCKET,
                    "agent.lock")) {
                Files.deleteIfExists(options.runDirectory().resolve(name));
            }
        });
        return left;
    }

    private static void step(List<String> left, String what, Step step) {
        try {
            step.run();
        } catch (IOException | BpfException e) {
            LOG.log(System.Logger.Level.DEBUG, what, e);
            left.add(what + ": " + e.getMessage());
        }
    }

    /** A running agent would put everything back: it is asked to remove it itself. */
    private static void askRunningAgent(AgentOptions options, List<String> left) {
        Path socket = options.agentSocket();
        if (!LocalApiClient.answers(socket)) {
            return;
        }
        try (LocalApiClient client = LocalApiClient.connect(socket)) {
            JsonObject request = new JsonObject();
            request.addProperty("method", "detach");
            client.call(request.toString());
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "the running agent", e);
        }
        for (int waited = 0; waited < WAIT_MILLIS && LocalApiClient.answers(socket); waited += 50) {
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        if (LocalApiClient.answers(socket)) {
            left.add("the running agent does not end; stop it and detach again");
        }
    }

    /** Those that the kernel was told of, and those that the state directory knows, which may be another one. */
    private static void removeAddresses(AgentOptions options, Optional<KernelPins.PinnedMesh> pinned)
            throws IOException {
        if (pinned.isPresent()) {
            KernelPins.PinnedMesh mesh = pinned.get();
            new HostNetwork(mesh.prefix(), mesh.services(), mesh.range6()).reconcile(NetPlan.EMPTY);
        }
        LeaseStore.Contents contents = Files.isDirectory(options.stateDirectory())
                ? new LeaseStore(options.stateDirectory()).load().contents()
                : LeaseStore.Contents.EMPTY;
        // Without a prefix nothing but the services' route can be there.
        Cidr prefix = Cidr.parse(contents.prefix()).orElse(options.serviceRange());
        new HostNetwork(prefix, options.serviceRange(), options.range6()).reconcile(NetPlan.EMPTY);
    }

    private static void unmount(AgentOptions options) throws IOException {
        Path mark = bpfMountMark(options);
        if (!Files.exists(mark)) {
            return;
        }
        Path mount = Path.of(Files.readString(mark).strip());
        if (BpfFs.isOn(mount) && BpfFs.list(mount).isEmpty()) {
            BpfFs.unmount(mount);
        }
        Files.deleteIfExists(mark);
    }
}
