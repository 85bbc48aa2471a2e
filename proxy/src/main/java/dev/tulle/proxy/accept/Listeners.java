package dev.tulle.proxy.accept;

import dev.tulle.proxy.discovery.NameDirectory;
import dev.tulle.proxy.discovery.OutboundService;
import dev.tulle.proxy.discovery.ServiceDirectory;
import dev.tulle.proxy.handover.AgentSockets;
import dev.tulle.proxy.handover.Inheritance;
import dev.tulle.proxy.upstream.UpstreamChannels;
import dev.tulle.xds.XdsClient;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.SocketProtocolFamily;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The proxy's listening sockets. Any thread. */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
public final class Listeners implements AutoCloseable {
    private static final int BACKLOG = 4_096;

    private final EventLoopGroup group;
    private final Function<Channel, LoopScope> scopes;
    private final List<Channel> open = new CopyOnWriteArrayList<>();
    private @Nullable PublishedPorts published;
    private @Nullable EdgePorts edge;
    private volatile Inheritance inheritance = Inheritance.none();
    private @Nullable AgentSockets agent;
    private volatile boolean closed;

    /**
     * None yet.
     *
     * @param scopes the scope of the loop that a channel lives on
     */
    public Listeners(EventLoopGroup group, Function<Channel, LoopScope> scopes) {
        this.group = group;
        this.scopes = scopes;
    }

    /**
     * Opens the port that captured connections arrive at.
     *
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int outbound(String address, int port) throws IOException {
        return port(bind(address, port, scope -> new OutboundPort(scope)));
    }

    /**
     * Opens the explicit proxy port.
     *
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int explicit(String address, int port, NameDirectory names) throws IOException {
        return port(bind(address, port, scope -> new ExplicitPort(scope, names)));
    }

    /**
     * Opens a port all of whose connections go to one service.
     *
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int fixed(String address, int port, OutboundService service) throws IOException {
        return port(bindFixed(address, port, service));
    }

    /**
     * Opens a port all of whose connections are taken as captured on their way to one address.
     *
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int toward(String address, int port, InetSocketAddress destination) throws IOException {
        return port(bind(address, port, scope -> new TowardPort(scope, destination)));
    }

    /**
     * Opens the port at which other nodes make tunnels.
     *
     * @param first the first handler of a connection
     * @return the port
     * @throws IOException when it cannot be bound
     */
    public int inbound(String address, int port, Function<LoopScope, ChannelHandler> first) throws IOException {
        return port(bind(address, port, first));
    }

    /** From now on, what another process listens on already is taken over instead of bound. */
    public void inherit(Inheritance sockets) {
        inheritance = sockets;
    }

    /** From now on, listeners come from the agent: what it holds now, and for published ports what it holds then. */
    public void inherit(Inheritance sockets, AgentSockets source) {
        inheritance = sockets;
        agent = source;
    }

    /** The sockets that listen now. */
    public List<Channel> sockets() {
        return List.copyOf(open);
    }

    /**
     * Follows the ports that the agent wants published, and those for tunnels of other nodes. What was inherited and is not
     * among them is closed.
     *
     * @param tunnels the first handler of a tunnel's connection; null where there are none
     */
    public void publish(Path nodeSocket, @Nullable Function<LoopScope, ChannelHandler> tunnels) {
        PublishedPorts ports = new PublishedPorts(
                nodeSocket,
                new PublishedPorts.Binder() {
                    @Override
                    public Channel bind(String address, int port, OutboundService service) throws IOException {
                        return bindOffered(address, port, scope -> new FixedPort(scope, service));
                    }

                    @Override
                    public Channel bindTunnels(String address, int port) throws IOException {
                        if (tunnels == null) {
                            throw new IOException("nobody gives this proxy certificates");
                        }
                        return bindOffered(address, port, tunnels);
                    }
                },
                () -> inheritance.close());
        published = ports;
        ports.start();
    }

    /**
     * Serves the mesh's edge from now on. What was inherited and no Gateway wants is closed.
     *
     * @param addresses where each of its ports is served, as the agent opens them; without an agent it is IPv4 alone
     */
    public void serveEdge(XdsClient xds, ServiceDirectory services, List<String> addresses) {
        EdgePorts ports = new EdgePorts(
                xds,
                services,
                agent == null ? List.of("0.0.0.0") : addresses,
                this::bindOffered,
                () -> inheritance.close());
        edge = ports;
        ports.start();
    }

    /** What is wrong with the mesh's edge; empty when nothing is, or there is none. */
    public String edgeTrouble() {
        EdgePorts ofEdge = edge;
        return ofEdge == null ? "" : ofEdge.trouble();
    }

    /** Waits until published ports and those of the edge are as they are wanted; false when that is not known in time. */
    public boolean awaitPublished(Duration patience) throws InterruptedException {
        PublishedPorts ports = published;
        EdgePorts ofEdge = edge;
        return (ports == null || ports.awaitApplied(patience)) && (ofEdge == null || ofEdge.awaitApplied(patience));
    }

    private Channel bindFixed(String address, int port, OutboundService service) throws IOException {
        return bind(address, port, scope -> new FixedPort(scope, service));
    }

    private Channel bindOffered(String address, int port, Function<LoopScope, ChannelHandler> first)
            throws IOException {
        AgentSockets source = agent;
        InetSocketAddress wanted = new InetSocketAddress(InetAddress.getByName(address), port);
        if (source != null && !inheritance.offers(wanted)) {
            source.takeInto(inheritance);
            if (!inheritance.offers(wanted)) {
                throw new IOException("the agent does not hold it");
            }
        }
        return bind(address, port, first);
    }

    private static int port(Channel channel) {
        return ((InetSocketAddress) channel.localAddress()).getPort();
    }

    private Channel bind(String address, int port, Function<LoopScope, ChannelHandler> handler) throws IOException {
        if (closed) {
            throw new IOException("cannot listen on " + address + ":" + port + ": the proxy ends");
        }
        InetAddress where = InetAddress.getByName(address);
        SocketProtocolFamily family =
                where instanceof Inet4Address ? SocketProtocolFamily.INET : SocketProtocolFamily.INET6;
        OptionalInt inherited = inheritance.claim(new InetSocketAddress(where, port));
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(group)
                .channelFactory(() -> inherited.isPresent()
                        ? new EpollServerSocketChannel(inherited.getAsInt())
                        : new EpollServerSocketChannel(family))
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                // Accepted sockets inherit it.
                .option(ChannelOption.SO_RCVBUF, UpstreamChannels.RECEIVE_BUFFER)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, UpstreamChannels.WATER_MARK)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        LoopScope scope = scopes.apply(channel);
                        String client = Sources.presumed(channel.remoteAddress());
                        if (scope.shares().accept(channel, client, true) == null) {
                            scope.refused().with(OutboundFlow.OVER_SHARE).increment();
                            channel.close();
                            return;
                        }
                        channel.config().setAllocator(scope.worker().allocator());
                        channel.config().setRecvByteBufAllocator(scope.worker().readOption());
                        scope.connections().add(channel);
                        channel.pipeline().addLast(new TurnHandler(scope.turns(), client, () -> handler.apply(scope)));
                    }
                });
        var bound = (inherited.isPresent() ? bootstrap.register() : bootstrap.bind(where, port)).awaitUninterruptibly();
        if (!bound.isSuccess()) {
            Throwable cause = bound.cause();
            throw new IOException(
                    "cannot listen on " + address + ":" + port + ": " + (cause == null ? "" : cause.getMessage()),
                    cause);
        }
        open.add(bound.channel());
        bound.channel().closeFuture().addListener(ended -> open.remove(bound.channel()));
        if (closed) {
            // Whoever closes has been through the list perhaps.
            bound.channel().close().syncUninterruptibly();
            throw new IOException("cannot listen on " + address + ":" + port + ": the proxy ends");
        }
        return bound.channel();
    }

    /** First handler of a connection whose destination is known from the port. Loop-confined. */
    private static final class TowardPort extends ChannelInboundHandlerAdapter {
        private final LoopScope scope;
        private final InetSocketAddress destination;

        TowardPort(LoopScope scope, InetSocketAddress destination) {
            this.scope = scope;
            this.destination = destination;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            Channel channel = context.channel();
            context.pipeline().remove(this);
            OutboundFlow.begin(scope, channel, destination, false, null);
        }
    }

    /** Stops accepting; open connections stay. */
    @Override
    public void close() {
        closed = true;
        PublishedPorts ports = published;
        if (ports != null) {
            ports.close();
        }
        EdgePorts ofEdge = edge;
        if (ofEdge != null) {
            ofEdge.close();
        }
        // What is bound from here on closes itself.
        for (Channel channel : open) {
            channel.close().syncUninterruptibly();
        }
    }
}
