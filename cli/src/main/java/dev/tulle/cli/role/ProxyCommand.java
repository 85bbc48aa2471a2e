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
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The node proxy alone: the only role that needs no privilege. Writes nothing to the run directory, which its user may
 * only pass through.
 */
@Command(name = "proxy", description = "Runs the node proxy alone, as whatever user starts it.")
public final class ProxyCommand extends BaseCommand {
    @Mixin
    private final RoleOptions options = new RoleOptions();

    @Option(
            names = "--drain",
            paramLabel = "SECONDS",
            description = "How long requests in flight may take at the end. Default: ${DEFAULT-VALUE}.",
            defaultValue = "5")
    private int drainSeconds = 5;

    /** Makes the command. */
    public ProxyCommand() {}

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
        Path folder = options.runDirectory().resolve(RunFolder.HAND_OVER);
        return Files.isWritable(folder) ? folder : null;
    }

    /** Beside the hand-over: the only folder in which the proxy's user can make a socket. */
    private @Nullable Path adminSocket() {
        Path folder = handOver();
        return folder == null ? null : folder.resolve(MeshPlace.ADMIN_SOCKET);
    }

    private ProxyOptions proxyOptions() {
        return ProxyOptions.builder()
                .nodeId(options.agent().node())
                .xds(options.runDirectory().resolve("xds.sock"))
                .nodeSocket(options.runDirectory().resolve("node.sock"))
                .outbound(List.of("127.0.0.1", "::1"), options.port(15001))
                .range(options.agent().range())
                .explicit("127.0.0.1", options.port(15080))
                .admin(adminSocket(), options.users().group())
                .probes("127.0.0.1", options.port(15021), options.port(15090))
                .outboundPolicy(
                        options.allowsAny()
                                ? ProxyOptions.OutboundPolicy.ALLOW_ANY
                                : ProxyOptions.OutboundPolicy.REGISTRY_ONLY)
                .accessLog(options.accessLog(), ProxyOptions.AccessLogMode.ALL)
                .handOver(handOver())
                .handOverTimes(options.upgradeIdle(), options.upgradeStreams())
                .drain(Duration.ofSeconds(drainSeconds))
                .build();
    }
}
