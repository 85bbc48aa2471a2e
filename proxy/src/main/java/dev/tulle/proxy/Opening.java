package dev.tulle.proxy;

import dev.tulle.proxy.accept.Listeners;
import dev.tulle.proxy.handover.AgentSockets;
import dev.tulle.proxy.handover.Inheritance;
import dev.tulle.proxy.handover.Predecessor;
import dev.tulle.xds.XdsClient;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * How the proxy begins to accept: with listening sockets of the agent, of the process that it takes over from, or of its
 * own. One thread.
 */
final class Opening {
    private static final System.Logger LOG = System.getLogger(Opening.class.getName());

    /** How long a process that is to take over waits for its first configuration. */
    private static final Duration CONTROL_PATIENCE = Duration.ofSeconds(20);

    /** How long it waits to hear which ports are published. */
    private static final Duration PUBLISHED_PATIENCE = Duration.ofSeconds(5);

    private final ProxyOptions options;
    private final XdsClient xds;
    private final Directories directories;
    private final @Nullable Tunnelling tunnels;
    private final Listeners listeners;
    private final EventLoopGroup group;
    private boolean explicitWanted = true;

    Opening(
            ProxyOptions options,
            XdsClient xds,
            Directories directories,
            @Nullable Tunnelling tunnels,
            Listeners listeners,
            EventLoopGroup group) {
        this.options = options;
        this.xds = xds;
        this.directories = directories;
        this.tunnels = tunnels;
        this.listeners = listeners;
        this.group = group;
    }

    /**
     * Accepts from now on.
     *
     * @param before the process to take over from; null for none
     * @throws IOException when a listener cannot be bound, or the process before goes on
     */
    void open(@Nullable Predecessor before) throws IOException {
        if (before == null) {
            inheritFromAgent();
            bind();
            return;
        }
        try {
            takeOver(before);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while taking over", e);
        }
    }

    /** The process before this one accepts until this one does: no connection meets a closed port. */
    private void takeOver(Predecessor before) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + CONTROL_PATIENCE.toNanos();
        while (xds.status().connects() == 0) {
            if (System.nanoTime() > deadline) {
                throw new IOException("the control plane was not reached in " + CONTROL_PATIENCE.toSeconds()
                        + " s: the proxy before this one goes on");
            }
            TimeUnit.MILLISECONDS.sleep(10);
        }
        if (!inheritFromAgent()) {
            listeners.inherit(before.sockets(group));
        }
        bind();
        if (!listeners.awaitPublished(PUBLISHED_PATIENCE)) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "the agent does not say what is published, or the control plane not what the gateway serves:"
                            + " connections to those ports wait");
        }
        try {
            before.retire();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the proxy before this one has gone: " + e.getMessage());
        }
        LOG.log(System.Logger.Level.INFO, "took over from a running proxy, which drains");
    }

    /** False without an agent: then this process binds what it needs, or takes it from the process before it. */
    private boolean inheritFromAgent() {
        Path nodeSocket = options.nodeSocket();
        if (nodeSocket == null) {
            return false;
        }
        AgentSockets source = new AgentSockets(group, nodeSocket, isEdge());
        if (!source.exists()) {
            return false;
        }
        try {
            Inheritance given = source.take();
            listeners.inherit(given, source);
            // The agent knows whether programs are captured, or have to name the proxy by themselves.
            explicitWanted = options.explicitPort() >= 0
                    && given.offers(new InetSocketAddress(options.explicitAddress(), options.explicitPort()));
            return true;
        } catch (IOException e) {
            LOG.log(
                    System.Logger.Level.WARNING,
                    "the agent does not give its listening sockets, they are bound here: " + e.getMessage());
            return false;
        }
    }

    private boolean isEdge() {
        return options.role() == ProxyOptions.Role.GATEWAY;
    }

    private void bind() throws IOException {
        if (isEdge()) {
            List<String> all = isUsable("::1") ? List.of("0.0.0.0", "::") : List.of("0.0.0.0");
            listeners.serveEdge(xds, directories.services(), all);
            return;
        }
        for (String address : options.outboundAddresses()) {
            if (options.outboundPort() >= 0 && isUsable(address)) {
                listeners.outbound(address, options.outboundPort());
            }
        }
        if (options.explicitPort() >= 0 && explicitWanted) {
            listeners.explicit(options.explicitAddress(), options.explicitPort(), directories.names());
        }
        if (options.nodeSocket() != null) {
            Tunnelling between = tunnels;
            listeners.publish(options.nodeSocket(), between == null ? null : between::first);
        }
        LOG.log(
                System.Logger.Level.INFO,
                () -> "proxy: " + options.loops() + " workers, outbound port " + options.outboundPort()
                        + (explicitWanted ? ", explicit port " + options.explicitPort() : ""));
    }

    /** A host without IPv6 has no ::1: nothing can be captured to it either. */
    private static boolean isUsable(String address) throws IOException {
        InetAddress where = InetAddress.getByName(address);
        return where.getAddress().length == 4 || NetworkInterface.getByInetAddress(where) != null;
    }
}
