package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.SocketAccess;
import dev.tulle.common.SocketFile;
import dev.tulle.model.Secret;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DiscoveryResponse;
import io.grpc.Server;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Serves {@link Secret secrets} to the proxies of this host, as Envoy's secret discovery service and as a type of the
 * aggregated one, in both variants of the protocol. A name that is nobody's is answered as absent at once (delta) or with
 * nothing in it (the other); one that is awaited, when it is decided. Thread-safe.
 */
public final class SecretServer implements AutoCloseable {
    /** Calls on one connection; Envoy opens one for each secret that it is configured with outside of ADS. */
    private static final int MAX_CALLS = 100;

    private static final System.Logger LOG = System.getLogger(SecretServer.class.getName());

    private final OwnerThread owner = new OwnerThread("sds-server");
    private final Path socket;
    private final LocalRefusals refusals;
    private final StreamLimits limits = new StreamLimits();
    private final Server server;
    private final Set<AdsStream<?, ?>> streams = new LinkedHashSet<>();
    private ResourceSnapshot snapshot = ResourceSnapshot.NONE;

    private SecretServer(Path socket, Path bound, SocketAccess access, LocalRefusals refusals) {
        this.socket = socket;
        this.refusals = refusals;
        PeerCheck peers = new PeerCheck(String.valueOf(socket.getFileName()), access, refusals);
        this.server = LocalGrpc.server(bound, peers, MAX_CALLS, 2 * RequestLimits.MAX_BYTES)
                .intercept(new PeerContext())
                .addService(ServerServiceDefinition.builder(SecretMethod.SERVICE)
                        .addMethod(SecretMethod.SERVED_DELTA, delta())
                        .addMethod(SecretMethod.SERVED_SOTW, sotw())
                        .build())
                .addService(ServerServiceDefinition.builder(DiscoveryMethod.SERVICE)
                        .addMethod(DiscoveryMethod.SERVED_DELTA, delta())
                        .addMethod(DiscoveryMethod.SERVED_SOTW, sotw())
                        .build())
                .build();
    }

    private ServerCallHandler<Received<DeltaDiscoveryRequest>, DeltaDiscoveryResponse> delta() {
        return ServerCalls.asyncBidiStreamingCall(
                responses -> AdsStream.open(owner, new Streams(), responses, DeltaSession::new));
    }

    private ServerCallHandler<Received<DiscoveryRequest>, DiscoveryResponse> sotw() {
        return ServerCalls.asyncBidiStreamingCall(
                responses -> AdsStream.open(owner, new Streams(), responses, SotwSession::new));
    }

    /**
     * Binds and starts to serve; until the first {@link #update} nobody is answered.
     *
     * @param access who may have the keys
     * @throws IOException when the socket cannot be bound, or another live process serves it
     */
    public static SecretServer start(Path socket, SocketAccess access, LocalRefusals refusals) throws IOException {
        Path bound = SocketFile.prepare(socket);
        SecretServer made = new SecretServer(socket, bound, access, refusals);
        try {
            made.server.start();
            SocketFile.publish(bound, socket, access);
        } catch (IOException | RuntimeException e) {
            made.close();
            throw e;
        }
        return made;
    }

    /**
     * Sends each client what changed for it.
     *
     * @param secrets all, by name
     * @param awaited names of which nothing is said yet
     */
    public void update(Map<String, Secret> secrets, Set<String> awaited) {
        Map<String, Secret> all = Map.copyOf(secrets);
        Set<String> later = Set.copyOf(awaited);
        owner.offer(() -> {
            snapshot = snapshot.next(all, later);
            snapshot.refused().forEach((name, reason) -> LOG.log(System.Logger.Level.ERROR, name + ": " + reason));
            for (AdsStream<?, ?> stream : List.copyOf(streams)) {
                stream.session().update(snapshot);
            }
        });
    }

    /** The connected clients, with what they answered. */
    public List<XdsClientState> clients() {
        return owner.call(() -> streams.stream().map(AdsStream::state).toList());
    }

    @Override
    public void close() {
        server.shutdownNow();
        owner.close();
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, socket + " cannot be removed: " + e.getMessage());
        }
    }

    /** Keeps account of the open streams. */
    private final class Streams implements AdsStream.Host {
        @Override
        public Optional<String> admits(Peer peer) {
            return limits.open(peer);
        }

        @Override
        public boolean isNode(String name) {
            return true;
        }

        @Override
        public void overLimit(Peer peer, String reason) {
            refusals.note(String.valueOf(socket.getFileName()), peer.holder(), reason);
        }

        @Override
        public ResourceSnapshot opened(AdsStream<?, ?> stream) {
            streams.add(stream);
            return snapshot;
        }

        @Override
        public void progressed() {}

        @Override
        public void sending(String typeUrl, Object response) {}

        @Override
        public void closed(AdsStream<?, ?> stream, boolean left) {
            streams.remove(stream);
            limits.closed(stream.peer());
        }
    }
}
