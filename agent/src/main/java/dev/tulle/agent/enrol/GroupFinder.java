package dev.tulle.agent.enrol;

import dev.tulle.agent.enrol.EnrolSpec.Source;
import dev.tulle.agent.enrol.RefusedException.Code;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.host.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Finds, or makes, the control group of a workload to be enrolled. Blocks while it asks systemd; owner thread only.
 *
 * <p>A process that is moved here keeps the sockets that it has open: they stay as they were, and a server keeps
 * listening where it listened. Connects and binds that it makes afterwards are captured.
 */
final class GroupFinder {
    private static final System.Logger LOG = System.getLogger(GroupFinder.class.getName());

    private final Cgroups cgroups;
    private final String meshGroup;

    /**
     * For one mesh.
     *
     * @param meshGroup the mesh's own group, for example {@code /tulle}
     */
    GroupFinder(Cgroups cgroups, String meshGroup) {
        this.cgroups = cgroups;
        this.meshGroup = meshGroup;
    }

    /**
     * A group for a workload.
     *
     * @param group relative to the hierarchy's mount point
     * @param own true when it was made here
     */
    record Found(String group, boolean own) {}

    /** Finds or makes the group that a request names. */
    Found find(EnrolSpec spec) throws RefusedException, IOException {
        return switch (spec.source()) {
            case Source.NewGroup(long pid) -> pid == 0 ? create(spec) : createFor(spec, pid);
            case Source.Unit(String unit) -> {
                String group = checked(ofUnit(unit));
                refuseOtherNetworks(group);
                yield new Found(group, false);
            }
            case Source.Group(String path) -> {
                String group = cgroups.group(path)
                        .orElseThrow(() -> new RefusedException(
                                Code.NOT_FOUND,
                                "control group '" + path + "' does not exist under " + cgroups.mount()));
                checked(group);
                refuseOtherNetworks(group);
                yield new Found(group, false);
            }
            case Source.Pid(long pid) -> ofProcess(spec, pid);
        };
    }

    private Found create(EnrolSpec spec) throws IOException {
        String group = meshGroup + "/workloads/" + spec.directoryName();
        cgroups.create(group);
        return new Found(group, true);
    }

    /** For who may not write to control groups: the process is put there. */
    private Found createFor(EnrolSpec spec, long pid) throws RefusedException, IOException {
        refuseUnfit(pid);
        String before = cgroups.groupOf(pid);
        refuseMember(pid, before);
        return createWith(spec, before, group -> cgroups.move(pid, group));
    }

    /** Puts processes into a group. */
    @FunctionalInterface
    private interface Moving {
        void into(String group) throws IOException;
    }

    /** A group of its own with processes in it; none, where they cannot be moved. */
    private Found createWith(EnrolSpec spec, String before, Moving moving) throws IOException {
        Found made = create(spec);
        try {
            moving.into(made.group());
        } catch (IOException e) {
            cgroups.remove(made.group(), before);
            throw e;
        }
        return made;
    }

    /** The group in which systemd runs a unit. */
    String ofUnit(String unit) throws RefusedException {
        Shell.Outcome outcome;
        try {
            outcome = Shell.run("systemctl", "show", "--property=ControlGroup", "--value", "--", unit);
        } catch (IOException e) {
            throw new RefusedException(
                    Code.UNAVAILABLE, "unit " + unit + ": systemd cannot be asked: " + e.getMessage());
        }
        if (!outcome.ok()) {
            throw new RefusedException(Code.UNAVAILABLE, "unit " + unit + ": " + outcome.trouble());
        }
        String path = outcome.output().strip();
        if (path.isEmpty() || path.equals("/")) {
            throw new RefusedException(
                    Code.NOT_FOUND, "unit " + unit + " does not exist or does not run: systemd names no control group");
        }
        Optional<String> group = cgroups.group(path);
        return group.orElseThrow(() -> new RefusedException(
                Code.NOT_FOUND,
                "unit " + unit + ": its control group " + path + " does not exist under " + cgroups.mount()));
    }

    private Found ofProcess(EnrolSpec spec, long pid) throws RefusedException, IOException {
        refuseUnfit(pid);
        String group = cgroups.groupOf(pid);
        if (isOwnLeaf(group, pid)) {
            return new Found(checked(group), false);
        }
        refuseMember(pid, group);
        return createWith(spec, group, made -> cgroups.moveTree(pid, made));
    }

    private static void refuseUnfit(long pid) throws RefusedException {
        if (pid == ProcessHandle.current().pid() || pid == 1) {
            throw new RefusedException(Code.FORBIDDEN, "process " + pid + " cannot be a workload");
        }
        if (!Files.exists(Path.of("/proc/" + pid))) {
            throw new RefusedException(Code.NOT_FOUND, "process " + pid + " does not exist");
        }
        refuseOtherNetwork(pid);
    }

    private void refuseMember(long pid, String group) throws RefusedException {
        if (group.startsWith(meshGroup + "/")) {
            throw new RefusedException(Code.EXISTS, "process " + pid + " already belongs to the mesh: " + group);
        }
    }

    /** The same for all processes of a group and those below. */
    private void refuseOtherNetworks(String group) throws RefusedException, IOException {
        for (long pid : cgroups.processes(group)) {
            refuseOtherNetwork(pid);
        }
        for (String child : cgroups.children(group)) {
            refuseOtherNetworks(child);
        }
    }

    /** A workload's address is on the host's loopback device: a process with another one could not have it. */
    private static void refuseOtherNetwork(long pid) throws RefusedException {
        try {
            Path its = Files.readSymbolicLink(Path.of("/proc/" + pid + "/ns/net"));
            if (!its.equals(Files.readSymbolicLink(Path.of("/proc/self/ns/net")))) {
                throw new RefusedException(
                        Code.FORBIDDEN,
                        "process " + pid + " ("
                                + Files.readString(Path.of("/proc/" + pid + "/comm"))
                                        .strip()
                                + ") is in another network namespace, as in a container: only what runs in the host's"
                                + " network can be a workload; start it there (containers: with the host's network)");
            }
        } catch (IOException e) {
            // It has just ended.
            LOG.log(System.Logger.Level.DEBUG, "process " + pid, e);
        }
    }

    /** True when a group is nobody's but the process's and its descendants'. */
    private boolean isOwnLeaf(String group, long pid) throws IOException {
        if (group.equals("/")
                || group.startsWith(meshGroup + "/")
                || !cgroups.children(group).isEmpty()) {
            return false;
        }
        Set<Long> family = ProcessHandle.of(pid)
                .map(handle -> handle.descendants().map(ProcessHandle::pid).collect(Collectors.toSet()))
                .orElse(Set.of());
        Set<Long> others = new HashSet<>(cgroups.processes(group));
        others.removeAll(family);
        others.remove(pid);
        return others.isEmpty();
    }

    private String checked(String group) throws RefusedException {
        if (group.equals("/")) {
            throw new RefusedException(Code.INVALID, "the root control group holds the whole host: name one below it");
        }
        if (group.equals(meshGroup) || group.startsWith(meshGroup + "/")) {
            throw new RefusedException(Code.INVALID, "control group " + group + " belongs to the mesh itself");
        }
        return group;
    }

    /** Refuses a group that holds, or is held by, one that is enrolled already. */
    static void refuseOverlap(String group, List<Lease> leases) throws RefusedException {
        for (Lease lease : leases) {
            String other = lease.group();
            if (other.equals(group) || other.startsWith(group + "/") || group.startsWith(other + "/")) {
                throw new RefusedException(
                        Code.EXISTS, "control group " + group + " is already enrolled as workload " + lease.key());
            }
        }
    }
}
