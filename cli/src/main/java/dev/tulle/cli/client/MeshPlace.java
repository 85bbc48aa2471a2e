package dev.tulle.cli.client;

import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * Which mesh on this host a command means: options, then the environment, then the mesh named {@code tulle}. A picocli
 * mixin.
 */
public final class MeshPlace {
    /** The name of the proxy's socket for administrators in its folder. */
    public static final String ADMIN_SOCKET = "admin.sock";

    private static final String DEFAULT_MESH = "tulle";

    private final Map<String, String> environment;

    @Option(
            names = "--mesh",
            paramLabel = "NAME",
            description = "Which mesh of this host. Default: $TULLE_MESH, else tulle.")
    private @Nullable String mesh;

    @Option(
            names = "--run-dir",
            paramLabel = "DIR",
            description = "Where the mesh keeps its sockets. Default: $TULLE_RUN_DIR, else /run/MESH.")
    private @Nullable Path runDirectory;

    /** With the environment of this process. */
    public MeshPlace() {
        this(System.getenv());
    }

    MeshPlace(Map<String, String> environment) {
        this.environment = environment;
    }

    /** A given mesh. */
    public MeshPlace(String mesh, Path runDirectory) {
        this(Map.of());
        this.mesh = mesh;
        this.runDirectory = runDirectory;
    }

    /** The mesh's name: cgroup, pins, nft table and default directories are called after it. */
    public String mesh() {
        String name = mesh != null ? mesh : environment.getOrDefault("TULLE_MESH", DEFAULT_MESH);
        if (!isName(name)) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "--mesh: '" + name + "' is no name; expected 1 to 32 of a-z, 0-9 and '-', beginning with a letter");
        }
        return name;
    }

    private static boolean isName(String name) {
        if (name.isEmpty() || name.length() > 32 || name.charAt(0) < 'a' || name.charAt(0) > 'z') {
            return false;
        }
        return name.chars().allMatch(c -> (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }

    /** The directory of sockets and pid files. */
    public Path runDirectory() {
        if (runDirectory != null) {
            return runDirectory.toAbsolutePath();
        }
        String fromEnvironment = environment.get("TULLE_RUN_DIR");
        if (mesh == null && fromEnvironment != null && !fromEnvironment.isEmpty()) {
            return Path.of(fromEnvironment).toAbsolutePath();
        }
        return Path.of("/run", mesh());
    }

    /** The control plane's socket. */
    public Path controlSocket() {
        return runDirectory().resolve("control.sock");
    }

    /** The proxy's socket for administrators. */
    public Path proxySocket() {
        return runDirectory().resolve("proxy").resolve(ADMIN_SOCKET);
    }

    /** The gateway's socket for administrators. */
    public Path gatewaySocket() {
        return runDirectory().resolve("gateway").resolve(ADMIN_SOCKET);
    }

    /** The agent's socket. */
    public Path agentSocket() {
        return runDirectory().resolve("agent.sock");
    }
}
