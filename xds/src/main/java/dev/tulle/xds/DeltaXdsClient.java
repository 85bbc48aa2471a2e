package dev.tulle.xds;

import dev.tulle.common.Backoff;
import dev.tulle.common.OwnerThread;
import dev.tulle.xds.proto.envoy.config.core.v3.Node;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import dev.tulle.xds.proto.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** {@link XdsClient} over gRPC. All state belongs to the owner thread; watchers are called on it. */
final class DeltaXdsClient implements XdsClient {
    private static final System.Logger LOG = System.getLogger(DeltaXdsClient.class.getName());

    /** A stream that lived for this long was a good one: after it the waiting times begin anew. */
    private static final Duration STABLE = Duration.ofSeconds(2);

    /** How long the control plane may take to let go of a client that leaves. */
    private static final Duration LEAVING = Duration.ofSeconds(2);

    private final XdsClientOptions options;
    private final OwnerThread owner;
    private final Backoff backoff = new Backoff(GrpcChannels.FIRST_WAIT, GrpcChannels.LONGEST_WAIT, new Random());
    private final Map<String, WatchedType> types = new LinkedHashMap<>();
    private volatile Gate gate = answer -> answer.accept("");
    /** After the last word to the control plane. */
    private final CountDownLatch left = new CountDownLatch(1);

    private @Nullable Stream stream;
    private boolean connected;
    private boolean flushing;
    private boolean closed;
    private Instant since = Instant.now();
    private String lastTrouble = "";
    private long connects;

    private DeltaXdsClient(XdsClientOptions options) {
        this.options = options;
        this.owner = new OwnerThread("xds-client-" + options.role());
    }

    static DeltaXdsClient start(XdsClientOptions options) {
        DeltaXdsClient client = new DeltaXdsClient(options);
        client.owner.execute(client::connect);
        return client;
    }

    private String server() {
        return options.control().toString();
    }

    @Override
    public <T> Subscription watch(ResourceType<T> type, String name, ResourceWatcher<T> watcher) {
        if (name.isEmpty() || name.equals(DeltaSession.WILDCARD)) {
            throw new IllegalArgumentException(
                    "name '" + name + "' of a " + type + ": expected the name of one resource");
        }
        WatchedName.Watch<T> watch = new WatchedName.Watch<>(type, watcher);
        if (owner.isCurrent()) {
            // A watcher that is told of a route watches its clusters: that must be asked before the route is
            // acknowledged.
            begin(name, watch);
        } else {
            owner.offer(() -> begin(name, watch));
        }
        return () -> {
            if (watch.close()) {
                owner.offer(() -> {
                    WatchedType watched = types.get(type.typeUrl());
                    if (watched != null) {
                        watched.unwatch(name, watch);
                        flushSoon();
                    }
                });
            }
        };
    }

    private void begin(String name, WatchedName.Watch<?> watch) {
        if (!closed) {
            WatchedName watched = types.computeIfAbsent(watch.type().typeUrl(), WatchedType::new)
                    .watch(name, watch);
            // Never from within the caller's call of watch().
            owner.offer(() -> watched.tellKnown(watch));
            flushSoon();
        }
    }

    @Override
    public void acknowledgeThrough(Gate through) {
        gate = through;
    }

    @Override
    public void askAgain() {
        owner.offer(() -> {
            types.values().forEach(WatchedType::askAgain);
            flush();
        });
    }

    @Override
    public XdsStatus status() {
        try {
            return owner.call(() -> new XdsStatus(
                    server(),
                    connected,
                    since,
                    lastTrouble,
                    connects,
                    types.values().stream().map(WatchedType::status).toList()));
        } catch (RejectedExecutionException e) {
            return new XdsStatus(server(), false, Instant.now(), "the client is closed", 0, List.of());
        }
    }

    /** Waits until the control plane has let go, for a moment: a process that ended before would look like one that was lost. */
    @Override
    public void close() {
        end(Stream::leave);
        try {
            if (!owner.isCurrent() && !left.await(LEAVING.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.log(System.Logger.Level.DEBUG, "the control plane has not let go");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void vanish() {
        end(Stream::abandon);
    }

    private void end(Consumer<Stream> way) {
        try {
            owner.execute(() -> {
                closed = true;
                types.clear();
                Stream open = stream;
                stream = null;
                if (open != null) {
                    way.accept(open);
                } else {
                    left.countDown();
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.log(System.Logger.Level.DEBUG, "closed already");
            left.countDown();
        }
        owner.close();
    }

    private void connect() {
        if (closed) {
            return;
        }
        types.values().forEach(WatchedType::streamOpened);
        Stream next = new Stream(GrpcChannels.open(options.control()));
        stream = next;
        // What is returned is the same call that the stream is given before it starts.
        var _ = ClientCalls.asyncBidiStreamingCall(
                next.channel.newCall(DiscoveryMethod.DELTA, CallOptions.DEFAULT), next);
    }

    /** Sends what changed once the tasks that wait now have run, so that a burst of watches is one request. */
    private void flushSoon() {
        if (!flushing && !closed) {
            // The mailbox is closed before close() has its turn on this thread: then nothing needs to be sent.
            flushing = owner.offer(() -> {
                flushing = false;
                flush();
            });
        }
    }

    private void flush() {
        Stream open = stream;
        if (open == null || !connected) {
            return;
        }
        for (WatchedType type : types.values()) {
            DeltaDiscoveryRequest.Builder request = type.nextRequest();
            if (request != null) {
                open.send(request);
            }
        }
    }

    private Node node() {
        return Node.newBuilder()
                .setId(options.nodeId())
                .setCluster(options.role())
                .setUserAgentName("tulle")
                .build();
    }

    /** One stream, from its attempt to connect to its end. gRPC calls in on its event loop. */
    private final class Stream implements ClientResponseObserver<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
        private final ManagedChannel channel;
        private @Nullable ClientCallStreamObserver<DeltaDiscoveryRequest> call;
        private boolean introduced;

        Stream(ManagedChannel channel) {
            this.channel = channel;
        }

        @Override
        public void beforeStart(ClientCallStreamObserver<DeltaDiscoveryRequest> requests) {
            call = requests;
            requests.disableAutoRequestWithInitial(1);
            requests.setOnReadyHandler(() -> owner.offer(this::ready));
        }

        private void ready() {
            if (stream != this || connected) {
                return;
            }
            connected = true;
            connects++;
            since = Instant.now();
            flush();
            introduce();
        }

        /** The control plane must know who is there, also while nothing is subscribed to. */
        private void introduce() {
            if (!introduced) {
                // Of this type a request without names asks for nothing.
                send(DeltaDiscoveryRequest.newBuilder().setTypeUrl(ResourceType.ROUTE.typeUrl()));
            }
        }

        @Override
        public void onNext(DeltaDiscoveryResponse response) {
            owner.offer(() -> {
                if (stream != this) {
                    return;
                }
                WatchedType known = types.get(response.getTypeUrl());
                WatchedType type = known == null ? new WatchedType(response.getTypeUrl()) : known;
                WatchedType.Answer answer = type.onResponse(response);
                // What the watchers ask for in consequence goes first, so that a client which has
                // acknowledged everything also has everything that follows from it.
                flush();
                try {
                    gate.pass(refusal -> owner.offer(() -> acknowledge(type.answer(answer, refusal))));
                } catch (RejectedExecutionException e) {
                    acknowledge(type.answer(answer, "the client is ending"));
                }
            });
        }

        /** Answers a response, and asks for the next. */
        private void acknowledge(DeltaDiscoveryRequest.Builder answer) {
            if (stream != this) {
                return;
            }
            // What was asked for while the acknowledgement waited belongs to it.
            flush();
            send(answer);
            ClientCallStreamObserver<DeltaDiscoveryRequest> open = call;
            if (open != null) {
                open.request(1);
            }
        }

        @Override
        public void onError(Throwable failure) {
            owner.offer(() -> ended(GrpcChannels.reason(failure)));
        }

        @Override
        public void onCompleted() {
            owner.offer(() -> ended("the control plane closed the stream"));
        }

        private void send(DeltaDiscoveryRequest.Builder request) {
            ClientCallStreamObserver<DeltaDiscoveryRequest> open = call;
            if (open == null) {
                return;
            }
            if (!introduced) {
                request.setNode(node());
                introduced = true;
            }
            open.onNext(request.build());
        }

        private void ended(String reason) {
            if (stream != this) {
                return;
            }
            stream = null;
            abandon();
            boolean news = connected || lastTrouble.isEmpty();
            lastTrouble = reason;
            if (connected) {
                if (Duration.between(since, Instant.now()).compareTo(STABLE) > 0) {
                    backoff.reset();
                }
                since = Instant.now();
            }
            connected = false;
            if (news) {
                LOG.log(System.Logger.Level.INFO, "{0}: stream to {1} ended: {2}", options.role(), server(), reason);
                List.copyOf(types.values()).forEach(type -> type.trouble("control plane away: " + reason));
            }
            if (!closed) {
                owner.offerLater(backoff.next(), DeltaXdsClient.this::connect);
            }
        }

        /** Ends the stream in order, which tells the control plane not to wait for this client. */
        private void leave() {
            ClientCallStreamObserver<DeltaDiscoveryRequest> open = call;
            if (open == null || !connected) {
                abandon();
                return;
            }
            open.onCompleted();
            channel.shutdown();
            Thread.ofVirtual().name("xds-client-leaving").start(() -> {
                try {
                    if (!channel.awaitTermination(LEAVING.toMillis(), TimeUnit.MILLISECONDS)) {
                        abandon();
                    }
                } catch (InterruptedException e) {
                    abandon();
                }
                left.countDown();
            });
        }

        private void abandon() {
            channel.shutdownNow();
            left.countDown();
        }
    }
}
