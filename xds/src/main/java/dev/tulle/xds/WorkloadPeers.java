package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.xds.WorkloadAttestor.Caller;
import io.grpc.Attributes;
import io.grpc.netty.shaded.io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiationEvent;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.shaded.io.grpc.netty.ProtocolNegotiationEvent;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.util.AsciiString;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * Finds out which workload has connected before a byte of the connection is read, and closes what is too much. Everybody
 * may connect: calls ask again who it is. Runs on the event loop.
 */
final class WorkloadPeers implements InternalProtocolNegotiator.ProtocolNegotiator {
    /** Where a connection's attributes hold its caller. */
    static final Attributes.Key<Caller> CALLER = Attributes.Key.create("tulle-caller");

    /** Connections of a workload, or of the user of processes in none; a client has one. */
    static final int PER_ACCOUNT = 64;

    /** Connections of all. */
    static final int MAX = 1_024;

    private final String where;
    private final WorkloadAttestor attestor;
    private final LocalRefusals refusals;
    private final Map<String, Integer> connections = new HashMap<>();
    private int open;

    WorkloadPeers(String where, WorkloadAttestor attestor, LocalRefusals refusals) {
        this.where = where;
        this.attestor = attestor;
        this.refusals = refusals;
    }

    @Override
    public AsciiString scheme() {
        return AsciiString.of("http");
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        return InternalProtocolNegotiators.waitUntilActiveHandler(
                new Check(InternalProtocolNegotiators.grpcNegotiationHandler(grpc)), grpc.getNegotiationLogger());
    }

    @Override
    public void close() {}

    private boolean isTooMuch(Caller caller) {
        int now = connections.getOrDefault(caller.account(), 0);
        if (now < PER_ACCOUNT && open < MAX) {
            return false;
        }
        refusals.note(
                where,
                caller.account(),
                now < PER_ACCOUNT
                        ? "expected at most " + MAX + " connections"
                        : "expected at most " + PER_ACCOUNT + " connections of one workload");
        return true;
    }

    private final class Check extends ChannelInboundHandlerAdapter {
        private final ChannelHandler next;

        Check(ChannelHandler next) {
            this.next = next;
        }

        @Override
        @SuppressWarnings("FutureReturnValueIgnored") // a connection that cannot be closed is closed already
        public void userEventTriggered(ChannelHandlerContext context, Object event) throws IOException {
            if (!(event instanceof ProtocolNegotiationEvent negotiated)) {
                context.fireUserEventTriggered(event);
                return;
            }
            EpollDomainSocketChannel channel = (EpollDomainSocketChannel) context.channel();
            Caller caller = attestor.connected(
                    channel.fd().intValue(), channel.peerCredentials().uid());
            if (isTooMuch(caller)) {
                caller.close();
                context.close();
                return;
            }
            connections.merge(caller.account(), 1, Integer::sum);
            open++;
            channel.closeFuture().addListener(_ -> {
                connections.computeIfPresent(
                        caller.account(), (_, count) -> count == 1 ? null : Integer.valueOf(count - 1));
                open--;
                caller.close();
            });
            Attributes attributes = InternalProtocolNegotiationEvent.getAttributes(negotiated).toBuilder()
                    .set(CALLER, caller)
                    .build();
            context.pipeline().replace(this, null, next);
            context.fireUserEventTriggered(InternalProtocolNegotiationEvent.withAttributes(negotiated, attributes));
        }
    }
}
