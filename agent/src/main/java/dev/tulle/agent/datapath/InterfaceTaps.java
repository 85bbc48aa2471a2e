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
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The programs that count workloads' packets at the host's real interfaces, and give answers from outside to the fixed
 * ports that asked, these on lo too: by tcx links (kernel 6.6), pinned beside the other links, else by clsact ({@link
 * ClsactTaps}). They outlive this process and are removed with the pins. Level-triggered: interfaces come and go. Owner
 * thread only.
 */
final class InterfaceTaps {
    /** The two hooks. */
    static final List<Hook> HOOKS = List.of(Hook.TC_EGRESS, Hook.TC_INGRESS);

    /** The number of lo in every network namespace. */
    private static final int LOOPBACK = 1;

    private static final Path INTERFACES = Path.of("/sys/class/net");
    private static final Path ROUTES = Path.of("/proc/net/route");

    private final BpfObject object;
    private final Path links;
    private final ClsactTaps clsact;
    private final List<HookStatus> status = new ArrayList<>();
    private boolean onLoopback;

    /** @param pins the pin directory */
    InterfaceTaps(BpfObject object, Path pins) {
        this.object = object;
        this.links = pins.resolve("links");
        this.clsact = new ClsactTaps(pins);
    }

    /** The two hooks, for people. */
    List<HookStatus> hooks() {
        return List.copyOf(status);
    }

    /** True when what arrives at lo is looked at. */
    boolean onLoopback() {
        return onLoopback;
    }

    /** Brings the programs to the interfaces that are there. */
    void reconcile() throws IOException {
        Map<Integer, String> real = real();
        status.clear();
        onLoopback = false;
        Set<Path> kept = new HashSet<>();
        for (Hook hook : HOOKS) {
            Optional<String> refused = RefusedHooks.atLoad(hook);
            if (refused.isPresent() || !object.hasProgram(hook.program())) {
                String why = refused.orElse("the kernel refused it, or it is not in the object");
                status.add(new HookStatus(hook.word(), false, why));
                continue;
            }
            List<String> attached = new ArrayList<>();
            String trouble = "";
            for (var one : hook == Hook.TC_INGRESS ? withLoopback(real).entrySet() : real.entrySet()) {
                try {
                    attached.add(one.getValue() + attach(hook, one.getKey(), kept));
                    onLoopback |= one.getKey() == LOOPBACK;
                } catch (BpfException e) {
                    trouble = one.getValue() + ": " + e.getMessage();
                }
            }
            String detail = trouble.isEmpty() ? "no real interface" : trouble;
            if (!attached.isEmpty()) {
                // Of lo alone it must not look as if all were well.
                String not = trouble.isEmpty() ? "" : "; not to " + trouble;
                detail = "attached to " + String.join(", ", attached) + not;
            }
            status.add(new HookStatus(hook.word(), !attached.isEmpty(), detail));
        }
        for (Path pin : BpfFs.list(links)) {
            if (String.valueOf(pin.getFileName()).startsWith("tulle_tc_") && !kept.contains(pin)) {
                BpfFs.unpin(pin);
            }
        }
        clsact.keepOnly(kept);
    }

    /** Attaches one side of an interface and says how, unless it is the usual way. */
    private String attach(Hook hook, int index, Set<Path> kept) throws IOException {
        BpfProgram program = object.program(hook.program());
        Path pin = links.resolve(hook.program() + "-" + index);
        RefusedHooks.checkAttach(hook);
        try {
            RefusedHooks.checkTcx(hook);
            link(program, index, hook.attachType(), pin);
            kept.add(pin);
            return "";
        } catch (BpfException noTcx) {
            try {
                kept.add(clsact.attach(hook, program, index));
            } catch (BpfException neither) {
                throw new BpfException(noTcx.getMessage() + "; " + neither.getMessage());
            }
            return " by clsact (" + noTcx.getMessage() + ")";
        }
    }

    private static void link(BpfProgram program, int index, AttachType hook, Path pin) throws IOException {
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

    private static Map<Integer, String> withLoopback(Map<Integer, String> real) {
        Map<Integer, String> all = new TreeMap<>(real);
        all.put(LOOPBACK, "lo");
        return all;
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
