package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import io.grpc.Attributes;
import io.grpc.ChannelLogger;
import io.grpc.netty.shaded.io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiationEvent;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.shaded.io.grpc.netty.ProtocolNegotiationEvent;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.PeerCredentials;
import io.grpc.netty.shaded.io.netty.util.AsciiString;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * Asks the kernel who has connected, before a byte of the connection is read: strangers and those who have too many
 * connections are closed at once, all others are known to the services by {@link Peer#KEY}. Runs on the event loop.
 */
final class PeerCheck implements InternalProtocolNegotiator.ProtocolNegotiator {
    /** Connections of one user; a role has one or two. */
    static final int MAX_PER_USER = 32;

    private final String where;
    private final SocketAccess access;
    private final LocalRefusals refusals;
    private final Map<Integer, Integer> connections = new HashMap<>();

    PeerCheck(String where, SocketAccess access, LocalRefusals refusals) {
        this.where = where;
        this.access = access;
        this.refusals = refusals;
    }

    @Override
    public AsciiString scheme() {
        return AsciiString.of("http");
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        ChannelLogger log = grpc.getNegotiationLogger();
        return InternalProtocolNegotiators.waitUntilActiveHandler(
                new Check(InternalProtocolNegotiators.grpcNegotiationHandler(grpc)), log);
    }

    @Override
    public void close() {}

    private boolean admits(Peer.LocalProcess peer) {
        if (!access.admits(peer.uid())) {
            refusals.note(where, "uid " + peer.uid(), "expected " + access.expected());
            return false;
        }
        if (connections.getOrDefault(peer.uid(), 0) >= MAX_PER_USER) {
            refusals.note(where, "uid " + peer.uid(), "expected at most " + MAX_PER_USER + " connections of a user");
            return false;
        }
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
            PeerCredentials credentials = ((EpollDomainSocketChannel) context.channel()).peerCredentials();
            Peer.LocalProcess peer = new Peer.LocalProcess(credentials.uid(), credentials.pid());
            if (!admits(peer)) {
                context.close();
                return;
            }
            connections.merge(peer.uid(), 1, Integer::sum);
            context.channel()
                    .closeFuture()
                    .addListener(_ -> connections.computeIfPresent(
                            peer.uid(), (_, count) -> count == 1 ? null : Integer.valueOf(count - 1)));
            Attributes attributes = InternalProtocolNegotiationEvent.getAttributes(negotiated).toBuilder()
                    .set(Peer.KEY, peer)
                    .build();
            context.pipeline().replace(this, null, next);
            context.fireUserEventTriggered(InternalProtocolNegotiationEvent.withAttributes(negotiated, attributes));
        }
    }
}
