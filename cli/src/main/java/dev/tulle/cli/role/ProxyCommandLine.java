package dev.tulle.cli.role;

import dev.tulle.common.LocalUsers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;

/**
 * The command that becomes the node proxy: enters its cgroup as root, then drops to its own user for good (no
 * capability, no new privileges) and becomes the JVM. The pid stays the same from the first step to the last.
 *
 * @param role the role that it plays, {@code proxy} or {@code gateway}
 * @param java the Java command with the role's flags, without the main class
 * @param arguments the arguments of {@code tulle proxy}
 * @param distribution the folder of jars that the proxy's user must be able to read
 * @param cgroup the proxy's cgroup
 * @param scratch a folder of the run directory for mounts in the proxy's own mount namespace
 * @param users the user and group it runs as; it is also in the mesh's group, whose directory its sockets are in
 */
record ProxyCommandLine(
        String role,
        List<String> java,
        List<String> arguments,
        Path distribution,
        Path cgroup,
        Path scratch,
        LocalUsers users) {

    /**
     * Enters the cgroup ($0), raises the limit of open files as far as the host lets root, then becomes the rest. How many
     * connections all workloads together can have follows from that limit.
     */
    private static final String ENTER_CGROUP = "umask 022; echo $$ > \"$0/cgroup.procs\" || exit 71; "
            + "for n in 1048576 524288 262144 65536; do ulimit -n $n 2>/dev/null && break; done; exec \"$@\"";

    /**
     * In a mount namespace of its own: keeps one folder ($1) reachable at its own path under a parent ($0) that the
     * proxy's user may not enter; what else that parent holds disappears from its sight. $2 is a scratch folder.
     */
    private static final String SHOW_ONLY =
            "mount --bind \"$1\" \"$2\" && mount -t tmpfs -o mode=0755,size=64k tulle \"$0\""
                    + " && mkdir -p \"$1\" && mount --bind \"$2\" \"$1\" || exit 72; shift 2; exec \"$@\"";

    ProxyCommandLine {
        java = List.copyOf(java);
        arguments = List.copyOf(arguments);
    }

    /** With the proxy's JVM flags and start-up archive of a distribution. */
    static ProxyCommandLine of(
            String role, Path distribution, List<String> arguments, Path cgroup, Path scratch, LocalUsers users) {
        List<String> java = new ArrayList<>();
        java.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
        java.add("@" + distribution.resolve("jvm/proxy"));
        Path archive = distribution.resolve("aot/proxy.aot");
        if (Files.exists(archive)) {
            java.add("-XX:AOTCache=" + archive);
        }
        return new ProxyCommandLine(role, java, arguments, distribution, cgroup, scratch, users);
    }

    /**
     * The whole command.
     *
     * @throws IOException when permissions cannot be read
     */
    List<String> build() throws IOException {
        Files.createDirectories(cgroup);
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", ENTER_CGROUP, cgroup.toString()));
        Path closed = closedParent(distribution);
        Path javaHome = Path.of(System.getProperty("java.home")).toRealPath();
        Path closedJava = closedParent(javaHome);
        if (closed != null) {
            command.addAll(showOnly(closed, distribution, "distribution"));
        }
        if (closedJava != null && !closedJava.equals(closed)) {
            command.addAll(showOnly(closedJava, javaHome, "java"));
        }
        command.addAll(List.of(
                "setpriv",
                "--reuid=" + users.proxy(),
                "--regid=" + users.proxy(),
                users.group().isEmpty() ? "--clear-groups" : "--groups=" + users.group(),
                "--no-new-privs",
                "--inh-caps=-all",
                "--bounding-set=-all",
                "--"));
        command.addAll(program());
        return command;
    }

    /** The JVM alone, for who enters the cgroup and drops privileges otherwise. */
    List<String> program() {
        List<String> command = new ArrayList<>(java);
        command.add("dev.tulle.cli.Main");
        command.add(role);
        command.addAll(arguments);
        return command;
    }

    private List<String> showOnly(Path parent, Path folder, String name) throws IOException {
        Path mount = Files.createDirectories(scratch.resolve(role + "-" + name));
        return List.of(
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--",
                "/bin/sh",
                "-c",
                SHOW_ONLY,
                parent.toString(),
                folder.toString(),
                mount.toString());
    }

    /** The outermost parent of a folder that other users may not enter; null when all may be entered. */
    private static @org.jspecify.annotations.Nullable Path closedParent(Path folder) throws IOException {
        Path parent = folder.getRoot();
        for (Path name : folder) {
            parent = parent.resolve(name);
            if (Files.isDirectory(parent)
                    && !Files.getPosixFilePermissions(parent).contains(PosixFilePermission.OTHERS_EXECUTE)) {
                return parent;
            }
        }
        return null;
    }
}
