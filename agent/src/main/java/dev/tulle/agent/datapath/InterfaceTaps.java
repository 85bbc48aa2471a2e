package dev.tulle.agent.datapath;

import dev.tulle.agent.tier.HookStatus;
import dev.tulle.kernel.AttachType;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfLink;
import dev.tulle.kernel.BpfObject;
import dev.tulle.kernel.BpfProgram;
import java.io.IOException;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The programs that count workloads' packets at the host's real interfaces, by tcx links (kernel 6.6); older kernels go
 * without and say so. Pinned beside the other links, so that counting outlives this process and is removed with them.
 * Level-triggered: interfaces come and go. Owner thread only.
 */
final class InterfaceTaps {
    private static final Path INTERFACES = Path.of("/sys/class/net");
    private static final Path ROUTES = Path.of("/proc/net/route");

    private final BpfObject object;
    private final Path links;
    private final List<HookStatus> status = new ArrayList<>();

    /** One side of an interface. */
    private enum Side {
        EGRESS("tulle_tc_egress", AttachType.TCX_EGRESS),
        INGRESS("tulle_tc_ingress", AttachType.TCX_INGRESS);

        private final String program;
        private final AttachType hook;

        Side(String program, AttachType hook) {
            this.program = program;
            this.hook = hook;
        }

        String word() {
            return program.substring("tulle_".length());
        }
    }

    /** @param links the folder of pinned links */
    InterfaceTaps(BpfObject object, Path links) {
        this.object = object;
        this.links = links;
    }

    /** The two hooks, for people. */
    List<HookStatus> hooks() {
        return List.copyOf(status);
    }

    /** Brings the programs to the interfaces that are there. */
    void reconcile() throws IOException {
        Map<Integer, String> wanted = real();
        status.clear();
        Set<Path> kept = new HashSet<>();
        for (Side side : Side.values()) {
            List<String> attached = new ArrayList<>();
            String trouble = "no real interface";
            if (!object.hasProgram(side.program)) {
                status.add(new HookStatus(side.word(), false, "the kernel refused it, or it is not in the object"));
                continue;
            }
            BpfProgram program = object.program(side.program);
            for (var one : wanted.entrySet()) {
                Path pin = links.resolve(side.program + "-" + one.getKey());
                try {
                    attach(program, one.getKey(), side.hook, pin);
                    kept.add(pin);
                    attached.add(one.getValue());
                } catch (BpfException e) {
                    trouble = one.getValue() + ": " + e.getMessage();
                }
            }
            status.add(new HookStatus(
                    side.word(),
                    !attached.isEmpty(),
                    attached.isEmpty() ? trouble : "attached to " + String.join(", ", attached)));
        }
        for (Path pin : BpfFs.list(links)) {
            if (String.valueOf(pin.getFileName()).startsWith("tulle_tc_") && !kept.contains(pin)) {
                BpfFs.unpin(pin);
            }
        }
    }

    private static void attach(BpfProgram program, int index, AttachType hook, Path pin) throws IOException {
        if (Files.exists(pin)) {
            try (BpfLink link = BpfLink.openPinned(pin)) {
                if (link.info().programId() != program.info().id()) {
                    link.update(program);
                }
                return;
            } catch (BpfException e) {
                // The interface of that number has gone, and with it what the link held.
                BpfFs.unpin(pin);
            }
        }
        try (BpfLink link = program.attachInterface(index, hook)) {
            link.pin(pin);
        }
    }

    /** Names of interfaces by number: those with a device behind them, and that of the default route. */
    private static Map<Integer, String> real() throws IOException {
        Set<String> routes = new HashSet<>();
        if (Files.isReadable(ROUTES)) {
            for (String line : Files.readAllLines(ROUTES)) {
                String[] fields = line.split("\\s+", 3);
                if (fields.length == 3 && fields[1].equals("00000000")) {
                    routes.add(fields[0]);
                }
            }
        }
        Map<Integer, String> found = new TreeMap<>();
        for (NetworkInterface one : NetworkInterface.networkInterfaces().toList()) {
            boolean device = Files.exists(INTERFACES.resolve(one.getName()).resolve("device"));
            if (!one.isLoopback() && one.isUp() && (device || routes.contains(one.getName()))) {
                found.put(one.getIndex(), one.getName());
            }
        }
        return found;
    }
}
