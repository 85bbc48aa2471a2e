package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import io.grpc.netty.shaded.io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.shaded.io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandler;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.util.AsciiString;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;

/**
 * TLS for connections from other hosts, of which each may have so many: they are counted before the handshake, so that
 * nobody without a certificate takes those of the nodes. Runs on the event loop.
 */
final class NodeConnections implements InternalProtocolNegotiator.ProtocolNegotiator {
    /** Connections from one address: a node has one for each of its roles and its registration, twice while one takes over. */
    static final int MAX_PER_ADDRESS = 32;

    /** Connections altogether. */
    static final int MAX = 4_096;

    private final String where;
    private final LocalRefusals refusals;
    private final InternalProtocolNegotiator.ProtocolNegotiator tls;
    private final Map<InetAddress, Integer> connections = new HashMap<>();
    private int all;

    NodeConnections(String where, SslContext context, LocalRefusals refusals) {
        this.where = where;
        this.refusals = refusals;
        this.tls = InternalProtocolNegotiators.serverTls(context);
    }

    @Override
    public AsciiString scheme() {
        return tls.scheme();
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        return new Count(tls.newHandler(grpc));
    }

    @Override
    public void close() {
        tls.close();
    }

    private boolean admits(InetAddress from) {
        int now = connections.getOrDefault(from, 0);
        if (now >= MAX_PER_ADDRESS || all >= MAX) {
            refusals.note(
                    where,
                    from.getHostAddress(),
                    now >= MAX_PER_ADDRESS
                            ? "expected at most " + MAX_PER_ADDRESS + " connections of an address"
                            : "expected at most " + MAX + " connections");
            return false;
        }
        connections.put(from, now + 1);
        all++;
        return true;
    }

    private void gone(InetAddress from) {
        all--;
        connections.computeIfPresent(from, (_, count) -> count == 1 ? null : Integer.valueOf(count - 1));
    }

    private final class Count extends ChannelInboundHandlerAdapter {
        private final ChannelHandler next;

        Count(ChannelHandler next) {
            this.next = next;
        }

        @Override
        @SuppressWarnings("FutureReturnValueIgnored") // a connection that cannot be closed is closed already
        public void handlerAdded(ChannelHandlerContext context) {
            InetAddress from = ((InetSocketAddress) context.channel().remoteAddress()).getAddress();
            if (!admits(from)) {
                context.close();
                return;
            }
            context.channel().closeFuture().addListener(_ -> gone(from));
            context.pipeline().replace(this, null, next);
        }
    }
}
