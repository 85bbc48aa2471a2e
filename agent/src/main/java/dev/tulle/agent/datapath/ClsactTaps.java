package dev.tulle.agent.datapath;

import dev.tulle.agent.host.Shell;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.BpfFs;
import dev.tulle.kernel.BpfProgram;
import dev.tulle.kernel.Clsact;
import java.io.IOException;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Programs at interfaces by clsact, for kernels without tcx. Nothing pins a filter, so a directory below the pins notes
 * each one, and each clsact that was not there before: only what is noted is ever removed, and a clsact only when nobody
 * else has put a filter into it. The handle comes from the pin directory, so that several meshes share an interface.
 * Owner thread only.
 */
final class ClsactTaps {
    private static final System.Logger LOG = System.getLogger(ClsactTaps.class.getName());

    /** The priority of the filters: behind those of most others. */
    static final int PRIORITY = 29813;

    private static final String QDISC = "qdisc";

    private final Path notes;
    private final int handle;

    /** @param pins the pin directory of the mesh */
    ClsactTaps(Path pins) {
        this.notes = pins.resolve("clsact");
        // Never 0, and positive, as tools show it in hexadecimal.
        this.handle = (pins.toAbsolutePath().toString().hashCode() & 0x7ffffffe) + 1;
    }

    /** The number of the mesh's filters. */
    int handle() {
        return handle;
    }

    /**
     * Brings a program to an interface, or in the place of the one that an earlier agent attached.
     *
     * @return the note of the filter, to be kept by {@link #keepOnly}
     * @throws BpfException when the kernel refuses it
     */
    Path attach(Hook hook, BpfProgram program, int index) throws IOException {
        Path note = note(index, hook.word());
        Clsact clsact = new Clsact(index);
        OptionalInt there = clsact.program(filter(hook));
        if (there.isPresent() && there.getAsInt() == program.info().id() && Files.exists(note)) {
            return note;
        }
        if (clsact.ensure()) {
            Files.createDirectories(note(index, QDISC));
        }
        Files.createDirectories(note);
        clsact.attach(filter(hook), program);
        return note;
    }

    /** Removes every filter but those noted by {@code kept}, then each clsact of ours that nobody needs. */
    void keepOnly(Set<Path> kept) throws IOException {
        for (Path note : BpfFs.list(notes)) {
            Hook hook = hookOf(note);
            if (hook != null && !kept.contains(note)) {
                new Clsact(indexOf(note)).detach(filter(hook));
                Files.deleteIfExists(note);
            }
        }
        for (Path note : BpfFs.list(notes)) {
            int index = indexOf(note);
            if (hookOf(note) == null && BpfFs.list(notes).stream().noneMatch(other -> holds(other, index))) {
                removeUnused(index);
                Files.deleteIfExists(note);
            }
        }
    }

    private boolean holds(Path note, int index) {
        return hookOf(note) != null && indexOf(note) == index;
    }

    /** Removes a clsact unless somebody else has come to use it since. */
    private static void removeUnused(int index) throws IOException {
        NetworkInterface device = NetworkInterface.getByIndex(index);
        if (device == null) {
            return;
        }
        for (String side : new String[] {"ingress", "egress"}) {
            try {
                Shell.Outcome filters = Shell.run("tc", "filter", "show", "dev", device.getName(), side);
                if (!filters.ok() || !filters.output().isBlank()) {
                    return;
                }
            } catch (IOException e) {
                // Nobody can tell whether it is in use: an empty clsact does no harm.
                LOG.log(System.Logger.Level.INFO, device.getName() + ": its clsact is left: " + e.getMessage());
                return;
            }
        }
        new Clsact(index).remove();
    }

    private Path note(int index, String what) {
        return notes.resolve(index + "-" + what);
    }

    private static int indexOf(Path note) {
        String name = String.valueOf(note.getFileName());
        return Integer.parseInt(name.substring(0, name.indexOf('-')));
    }

    /** The hook that a note is of; null for that of a clsact. */
    private static @Nullable Hook hookOf(Path note) {
        String name = String.valueOf(note.getFileName());
        for (Hook hook : InterfaceTaps.HOOKS) {
            if (name.endsWith("-" + hook.word())) {
                return hook;
            }
        }
        return null;
    }

    private Clsact.Filter filter(Hook hook) {
        return new Clsact.Filter(hook == Hook.TC_EGRESS ? Clsact.Side.EGRESS : Clsact.Side.INGRESS, handle, PRIORITY);
    }
}
