package dev.tulle.agent.datapath;

import dev.tulle.agent.ports.MeshPort;
import dev.tulle.common.Cidr;
import dev.tulle.common.Ip;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.LayoutException;
import dev.tulle.kernel.MapCodec;
import dev.tulle.kernel.TypedMap;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Stream;

/** Takes a pinned data path down, whoever pinned it. */
public final class KernelPins {
    private static final System.Logger LOG = System.getLogger(KernelPins.class.getName());

    /** How long readers have to empty their queues: bytes that wait in a socket when its map goes are lost. */
    private static final int DRAIN_MILLIS = 200;

    private KernelPins() {}

    /**
     * Takes everything down that is pinned in a directory: splicing first, then capture, then the maps.
     *
     * @throws IOException when a pin cannot be removed
     */
    public static void remove(Path pins) throws IOException {
        if (Files.isDirectory(pins)) {
            stopAndRemove(pins);
            BpfFs.removeAll(pins);
        }
    }

    /** The same; the directories stay. */
    static void stopAndRemove(Path pins) throws IOException {
        if (stopSplicing(pins.resolve("maps").resolve("tulle_config"))) {
            try {
                Thread.sleep(DRAIN_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        KernelObject.removePins(pins);
    }

    private static boolean stopSplicing(Path pin) {
        try {
            return change(pin, Structs.FLAG_SPLICE, 0);
        } catch (BpfException e) {
            LOG.log(System.Logger.Level.DEBUG, pin + ": " + e.getMessage());
            return false;
        }
    }

    /**
     * Leaves a pinned data path to itself while no agent and no proxy run: what the kernel carries goes on; look-ups of
     * names, which nobody of the mesh answers now, go to the host's resolvers. The next agent's {@link Datapath#apply}
     * undoes it. Nothing happens where nothing is pinned.
     *
     * @throws BpfException when the kernel refuses
     */
    public static void suspend(Path pins) {
        change(pins.resolve("maps").resolve("tulle_config"), Structs.FLAG_DNS, 0);
    }

    /**
     * A workload whose listeners are lent.
     *
     * @param workload its number in the kernel's maps
     * @param address its IPv4 address, by which the kernel knows its policies
     * @param processes what runs in it
     */
    public record Lender(int workload, InetAddress address, List<Long> processes) {
        public Lender {
            processes = List.copyOf(processes);
        }
    }

    /**
     * Makes the workloads of a suspended mesh answer at the host's addresses: loopback alone for those that bound it, all
     * for others, each on the ports that it listens on and no program of the host does. Workloads with authorization
     * policies stay closed, as nobody is left who could ask who calls. Listeners that come later are lent by the kernel.
     * Nothing happens where nothing is pinned; the next agent's {@link Datapath#apply} undoes it.
     *
     * @param workloads who has each of their addresses, of both families
     * @return the ports that lead to workloads now
     * @throws BpfException when the kernel refuses
     */
    public static SortedSet<Integer> lend(Path pins, Map<InetAddress, Lender> workloads) {
        Path maps = pins.resolve("maps");
        if (!Files.exists(maps.resolve(Lending.PORTS))) {
            return new TreeSet<>();
        }
        SortedSet<Integer> lent = Lending.begin(maps, workloads);
        change(maps.resolve("tulle_config"), 0, Structs.FLAG_LEND);
        return lent;
    }

    /**
     * A mesh of this host that has its data path pinned.
     *
     * @param prefix its node's workload addresses
     * @param services its services' addresses
     * @param range6 the first 96 bits of its workloads' IPv6 twins in text form; empty where there are none
     * @param ports what nobody else may bind
     */
    public record PinnedMesh(String name, Cidr prefix, Cidr services, String range6, List<PinnedPort> ports) {
        public PinnedMesh {
            ports = List.copyOf(ports);
        }
    }

    /**
     * A port that a pinned mesh keeps for itself.
     *
     * @param namespace the cookie of its network namespace; 0: of all
     */
    public record PinnedPort(int number, boolean udp, long namespace) {
        /** Whether a mesh of a network namespace cannot have that port. */
        public boolean keeps(MeshPort wanted, long inNamespace) {
            return number == wanted.number() && udp == wanted.udp() && (namespace == 0 || namespace == inNamespace);
        }
    }

    /**
     * The other meshes beside a folder of pins.
     *
     * @throws IOException when the folders cannot be listed
     */
    public static List<PinnedMesh> others(Path pins) throws IOException {
        Path all = pins.toAbsolutePath().getParent();
        List<PinnedMesh> meshes = new ArrayList<>();
        if (all == null || !Files.isDirectory(all)) {
            return meshes;
        }
        try (Stream<Path> folders = Files.list(all)) {
            for (Path folder : folders.filter(one -> !one.equals(pins)).sorted().toList()) {
                Path pin = folder.resolve("maps").resolve("tulle_config");
                if (Files.exists(pin)) {
                    read(folder.getFileName().toString(), pin).ifPresent(meshes::add);
                }
            }
        }
        return meshes;
    }

    /** What a folder of pins says of its mesh; empty where nothing is pinned. */
    public static Optional<PinnedMesh> mesh(Path pins) {
        Path pin = pins.resolve("maps").resolve("tulle_config");
        return Files.exists(pin) ? read(String.valueOf(pins.getFileName()), pin) : Optional.empty();
    }

    private static Optional<PinnedMesh> read(String name, Path pin) {
        try (BpfMap map = BpfMap.openPinned(pin)) {
            TypedMap<Integer, Structs.Config> typed =
                    map.typed(MapCodec.u32(), Structs.codec(Structs.Config.class, map.valueLayout()));
            Structs.Config config = typed.get(0);
            if (config == null || config.flags() == 0) {
                return Optional.empty();
            }
            return Optional.of(new PinnedMesh(
                    name,
                    cidr(config.nodeNet(), config.nodeMask()),
                    cidr(config.vipNet(), config.vipMask()),
                    config.range6().isAnyLocalAddress() ? "" : Ip.text(config.range6()),
                    ports(pin.resolveSibling(PortMaps.PORTS))));
        } catch (BpfException | LayoutException e) {
            LOG.log(System.Logger.Level.DEBUG, pin + ": " + e.getMessage());
            return Optional.empty();
        }
    }

    private static List<PinnedPort> ports(Path pin) throws LayoutException {
        if (!Files.exists(pin)) {
            return List.of();
        }
        try (BpfMap map = BpfMap.openPinned(pin)) {
            return PortMaps.typed(map).snapshot().entrySet().stream()
                    .map(entry -> new PinnedPort(
                            entry.getKey().port(),
                            entry.getKey().proto() == Structs.UDP,
                            entry.getValue().netns()))
                    .toList();
        }
    }

    private static Cidr cidr(Structs.Net network, Structs.Net mask) {
        return new Cidr(network.value(), Integer.bitCount(mask.value()));
    }

    /** Changes flags of the pinned configuration; false when they are so already. */
    private static boolean change(Path pin, int off, int on) {
        if (!Files.exists(pin)) {
            return false;
        }
        try (BpfMap map = BpfMap.openPinned(pin)) {
            TypedMap<Integer, Structs.Config> typed =
                    map.typed(MapCodec.u32(), Structs.codec(Structs.Config.class, map.valueLayout()));
            Structs.Config config = typed.get(0);
            if (config == null || config.flags() == ((config.flags() & ~off) | on)) {
                return false;
            }
            typed.put(0, config.withFlags((config.flags() & ~off) | on));
            return true;
        } catch (LayoutException e) {
            throw new BpfException(pin + ": " + e.getMessage());
        }
    }
}
