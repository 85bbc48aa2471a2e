package dev.tulle.cli.role;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.cli.client.MeshPlace;
import dev.tulle.cli.command.BaseCommand;
import dev.tulle.proxy.NodeProxy;
import dev.tulle.proxy.ProxyOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * A proxy alone: the only roles that need no privilege. Writes nothing to the run directory, which its user may only pass
 * through.
 */
abstract class ProxyRole extends BaseCommand {
    @Mixin
    private final RoleOptions options = new RoleOptions();

    @Option(
            names = "--drain",
            paramLabel = "SECONDS",
            description = "How long requests in flight may take at the end. Default: ${DEFAULT-VALUE}.",
            defaultValue = "5")
    private int drainSeconds = 5;

    /** The name of the folder of the run directory in which one process can take over from another. */
    private final String folder;

    ProxyRole(String folder) {
        this.folder = folder;
    }

    @Override
    public Integer call() throws Exception {
        StopSignal stop = StopSignal.install();
        try (NodeProxy proxy = NodeProxy.start(proxyOptions())) {
            Thread.ofVirtual().name("proxy-closed").start(() -> awaitClosed(proxy, stop));
            stop.await();
            return 0;
        } catch (IOException e) {
            throw new CommandFailure(CommandFailure.NO, e.getMessage() == null ? e.toString() : e.getMessage());
        }
    }

    /** A proxy that another one replaced ends by itself. */
    private static void awaitClosed(NodeProxy proxy, StopSignal stop) {
        try {
            proxy.awaitClosed();
            stop.request();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Only where `tulle up` has made the folder for this user can one proxy take over from another. */
    private @Nullable Path handOver() {
        Path here = options.runDirectory().resolve(folder);
        return Files.isWritable(here) ? here : null;
    }

    /** Beside the hand-over: the only folder in which the proxy's user can make a socket. */
    private @Nullable Path adminSocket() {
        Path here = handOver();
        return here == null ? null : here.resolve(MeshPlace.ADMIN_SOCKET);
    }

    /** What the role serves, and on which ports. */
    abstract ProxyOptions.Builder serving(RoleOptions of);

    private ProxyOptions proxyOptions() {
        return serving(options)
                .nodeId(options.agent().node())
                .xds(options.runDirectory().resolve("xds.sock"))
                .nodeSocket(options.runDirectory().resolve("node.sock"))
                .sds(options.agent().sdsSocket())
                .inbound(List.of(), options.port(15008))
                .range(options.agent().range())
                .admin(adminSocket(), options.users().group())
                .accessLog(options.accessLog(), ProxyOptions.AccessLogMode.ALL)
                .handOver(handOver())
                .handOverTimes(options.upgradeIdle(), options.upgradeStreams())
                .drain(Duration.ofSeconds(drainSeconds))
                .build();
    }
}
