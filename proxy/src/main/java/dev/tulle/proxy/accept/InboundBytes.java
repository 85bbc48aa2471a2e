package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.tcp.TcpTarget;
import io.netty.channel.Channel;

/** What a tunnel from another node carries, as if its caller had connected here. On the loop. */
public final class InboundBytes {
    private InboundBytes() {}

    /** Finds out what is spoken, and reads requests where it is HTTP. */
    public static void read(LoopScope scope, Channel tunnel, OutboundService service, WorkloadDirectory.Entry source) {
        OutboundFlow.beginTunnel(scope, tunnel, service, source);
    }

    /** Takes all of it for bytes. */
    public static void relay(
            LoopScope scope,
            Channel tunnel,
            OutboundService service,
            WorkloadDirectory.Entry source,
            TcpTarget target) {
        OutboundFlow.relayTunnel(scope, tunnel, service, source, target);
    }
}
