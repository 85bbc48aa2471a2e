package dev.tulle.xds;

import com.google.protobuf.MessageLite;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.SocketFile;
import dev.tulle.model.MeshState;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;

/**
 * The server half of xDS and of the registration stream. Its state lives on the owner thread that it is given; methods
 * marked so must be called there. Until the first {@link #update} it answers nobody, so that a control plane that has just
 * started deletes nothing.
 */
public final class XdsServer implements AutoCloseable {
    /** Calls on one connection; a role opens one or two. */
    private static final int MAX_CALLS = 32;

    /** Streams that a client may reset in {@link #RESET_SECONDS} before its connection is closed. */
    private static final int MAX_RESETS = 200;

    private static final int RESET_SECONDS = 30;

    private static final System.Logger LOG = System.getLogger(XdsServer.class.getName());

    private final OwnerThread owner;
    private final Path socket;
    private final LocalRefusals refusals;
    private final StreamLimits limits = new StreamLimits();
    private final ServerServiceDefinition discovery;
    private final NodeRegistry registry;
    private final RegistrationService registration;
    private final Optional<ServerServiceDefinition> certificates;
    private final Server server;
    private final List<Server> others = new CopyOnWriteArrayList<>();
    private final Set<AdsStream<?, ?>> streams = new LinkedHashSet<>();
    private final ClientRoster roster = new ClientRoster(System::nanoTime);
    private final List<Waiter> waiters = new ArrayList<>();
    private final Map<String, Long> pushes = new TreeMap<>();
    private ResourceSnapshot snapshot = ResourceSnapshot.NONE;
    private long closedRejects;
    private long bytes;
    private long opened;

    private XdsServer(
            XdsServerOptions options,
            Path bound,
            OwnerThread owner,
            NodeRegistry registry,
            Optional<CertificateIssuer> issuer) {
        this.owner = owner;
        this.socket = options.socket();
        this.refusals = options.refusals();
        String where = String.valueOf(socket.getFileName());
        this.registry = registry;
        this.discovery = discovery();
        this.registration = new RegistrationService(owner, registry, where, options.refusals());
        this.certificates = issuer.map(one -> new CertificateService(one, where, options.refusals()).definition());
        this.server = served(
                NettyServerBuilder.forAddress(new DomainSocketAddress(bound.toFile()))
                        .protocolNegotiator(new PeerCheck(where, options.access(), options.refusals()))
                        .channelType(EpollServerDomainSocketChannel.class)
                        // gRPC's default for TCP: no option of a Unix socket.
                        .withChildOption(ChannelOption.SO_KEEPALIVE, null),
                GrpcLoop.shared());
    }

    /** The same services and the same bounds wherever they are served. */
    private Server served(NettyServerBuilder builder, EventLoopGroup loop, ServerServiceDefinition... more) {
        builder.bossEventLoopGroup(loop)
                .workerEventLoopGroup(loop)
                // Handlers only hand over to the owner thread.
                .directExecutor()
                .permitKeepAliveTime(5, TimeUnit.SECONDS)
                .keepAliveTime(30, TimeUnit.SECONDS)
                // Up to twice its bound a request is told what it is; one beyond that is not even taken in.
                .maxInboundMessageSize(2 * RequestLimits.MAX_BYTES)
                .maxConcurrentCallsPerConnection(MAX_CALLS)
                .maxRstFramesPerWindow(MAX_RESETS, RESET_SECONDS)
                .handshakeTimeout(10, TimeUnit.SECONDS)
                .intercept(new PeerContext())
                .addService(discovery)
                .addService(registration.definition());
        certificates.ifPresent(builder::addService);
        for (ServerServiceDefinition one : more) {
            builder.addService(one);
        }
        return builder.build();
    }

    /**
     * Serves nodes on other hosts as well, until the server is closed. Any thread.
     *
     * @param address where
     * @param tls the control plane's own certificate, and the roots of the nodes'
     * @param admission admits those that have no certificate yet
     * @return what ends it
     * @throws IOException when the address cannot be bound
     */
    public AutoCloseable serveNodes(InetSocketAddress address, NodeTls tls, NodeAdmission admission)
            throws IOException {
        String where = "port " + address.getPort();
        Server nodes = served(
                NettyServerBuilder.forAddress(address)
                        .protocolNegotiator(new NodeConnections(where, ControlTls.server(tls), refusals))
                        .channelType(EpollServerSocketChannel.class),
                GrpcLoop.nodes(),
                new JoinService(admission, where, refusals).definition());
        nodes.start();
        others.add(nodes);
        return nodes::shutdownNow;
    }

    /** One without an authority. */
    public static XdsServer start(XdsServerOptions options, OwnerThread owner, NodeRegistry registry)
            throws IOException {
        return start(options, owner, registry, Optional.empty());
    }

    /**
     * Binds and starts to serve.
     *
     * @param owner the thread that owns the server's state; the caller keeps it and closes it after the server
     * @param issuer gives certificates to nodes; empty when nobody does
     * @throws IOException when the socket cannot be bound, or another live process serves it
     */
    public static XdsServer start(
            XdsServerOptions options, OwnerThread owner, NodeRegistry registry, Optional<CertificateIssuer> issuer)
            throws IOException {
        Path bound = SocketFile.prepare(options.socket());
        XdsServer made = new XdsServer(options, bound, owner, registry, issuer);
        made.server.start();
        try {
            SocketFile.publish(bound, options.socket(), options.access());
        } catch (IOException | RuntimeException e) {
            made.close();
            throw e;
        }
        return made;
    }

    /**
     * Makes a state the current one and sends each client what changed for it. On the owner thread.
     *
     * @return the number of the snapshot
     */
    public long update(MeshState state) {
        return update(state, _ -> {});
    }

    /**
     * The same, for who tells others of it.
     *
     * @param current called with the number when the state is the current one and no client has been sent it yet: what a
     *     client shows of a state, everybody who is asked here knows by then
     */
    public long update(MeshState state, LongConsumer current) {
        owner.check();
        snapshot = snapshot.next(state);
        current.accept(snapshot.number());
        for (AdsStream<?, ?> stream : List.copyOf(streams)) {
            stream.session().update(snapshot);
        }
        checkWaiters();
        return snapshot.number();
    }

    /** Tells every node that is connected, and those that come, whom to believe. On the owner thread. */
    public void trust(Trust trust) {
        owner.check();
        registration.trust(trust);
    }

    /** Tells a node that is connected what its lease is now. On the owner thread. */
    public void renew(String node, NodeLease lease) {
        owner.check();
        registration.renew(node, lease);
    }

    /** Ends all streams of a node that was removed. On the owner thread. */
    public void drop(String node) {
        owner.check();
        String reason = "node " + node + " was removed from the mesh";
        registration.drop(node, reason);
        for (AdsStream<?, ?> stream : List.copyOf(streams)) {
            if (stream.peer() instanceof Peer.Node from && from.name().equals(node)) {
                stream.refuse(reason);
            }
        }
    }

    /** Why resources of the current state could not be encoded, by type and name. On the owner thread. */
    public Map<String, String> refused() {
        owner.check();
        return snapshot.refused();
    }

    /** The connected clients. On the owner thread. */
    public List<XdsClientState> clients() {
        owner.check();
        return streams.stream().map(AdsStream::state).toList();
    }

    /** Counts since the start. On the owner thread. */
    public XdsServerStats stats() {
        owner.check();
        long rejects = closedRejects;
        for (AdsStream<?, ?> stream : streams) {
            rejects += stream.session().rejects();
        }
        return new XdsServerStats(pushes, rejects, bytes, opened);
    }

    /** The clients that are connected, or were lately, by {@code node/role}. On the owner thread. */
    public Set<String> roster() {
        owner.check();
        return roster.clients(streams);
    }

    /** Expects clients that an earlier server had, for a while. On the owner thread. */
    public void expect(Set<String> clients) {
        owner.check();
        clients.forEach(roster::expect);
    }

    /** How each client stands to a snapshot now. On the owner thread. */
    public List<ClientStand> stands(long number) {
        owner.check();
        return roster.stands(number, streams);
    }

    /**
     * Waits until every client has answered everything that it subscribed to of a snapshot: those that are connected and
     * those that were lately. On the owner thread.
     *
     * @param number the snapshot, as {@link #update} returned it
     * @return completed on the owner thread with how each client stands, when all have answered or the time is over
     */
    public CompletableFuture<List<ClientStand>> awaitAnswers(long number, Duration timeout) {
        owner.check();
        Waiter waiter = new Waiter(number, new CompletableFuture<>());
        waiters.add(waiter);
        OwnerThread.Delayed end = owner.schedule(timeout, () -> {
            if (waiters.remove(waiter)) {
                waiter.done().complete(stands(number));
            }
        });
        CompletableFuture<List<ClientStand>> done = waiter.done().whenComplete((stands, failure) -> end.cancel());
        checkWaiters();
        return done;
    }

    /** Clients know no snapshot but the current one: what holds for it holds for all before it. */
    private void checkWaiters() {
        if (waiters.isEmpty()) {
            return;
        }
        List<ClientStand> stands = stands(snapshot.number());
        if (stands.stream().allMatch(stand -> stand.stand() == ClientStand.Stand.ANSWERED)) {
            for (Waiter waiter : List.copyOf(waiters)) {
                if (waiter.number() <= snapshot.number()) {
                    waiters.remove(waiter);
                    waiter.done().complete(stands);
                }
            }
        }
    }

    @Override
    public void close() {
        server.shutdownNow();
        others.forEach(Server::shutdownNow);
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, socket + " cannot be removed: " + e.getMessage());
        }
    }

    private record Waiter(long number, CompletableFuture<List<ClientStand>> done) {}

    private ServerServiceDefinition discovery() {
        return ServerServiceDefinition.builder(DiscoveryMethod.SERVICE)
                .addMethod(
                        DiscoveryMethod.SERVED_DELTA,
                        ServerCalls.asyncBidiStreamingCall(
                                responses -> AdsStream.open(owner, new Streams(), responses, DeltaSession::new)))
                .addMethod(
                        DiscoveryMethod.SERVED_SOTW,
                        ServerCalls.asyncBidiStreamingCall(
                                responses -> AdsStream.open(owner, new Streams(), responses, SotwSession::new)))
                .build();
    }

    /** Keeps account of the open streams. */
    private final class Streams implements AdsStream.Host {
        @Override
        public Optional<String> admits(Peer peer) {
            return peer.reads()
                    ? limits.open(peer)
                    : Optional.of(peer + ": expected the certificate of a node, see tulle up --join");
        }

        @Override
        public boolean isNode(String name) {
            return registry.admits(name);
        }

        @Override
        public void overLimit(Peer peer, String reason) {
            refusals.note(String.valueOf(socket.getFileName()), peer.holder(), reason);
        }

        @Override
        public ResourceSnapshot opened(AdsStream<?, ?> stream) {
            opened++;
            streams.add(stream);
            return snapshot;
        }

        @Override
        public void progressed() {
            checkWaiters();
        }

        @Override
        public void sending(String typeUrl, Object response) {
            pushes.merge(ResourceType.shortNameOf(typeUrl), 1L, Long::sum);
            bytes += ((MessageLite) response).getSerializedSize();
        }

        @Override
        public void closed(AdsStream<?, ?> stream, boolean left) {
            streams.remove(stream);
            limits.closed(stream.peer());
            closedRejects += stream.session().rejects();
            if (!left) {
                roster.lost(stream.session(), streams);
            }
            checkWaiters();
        }
    }
}
