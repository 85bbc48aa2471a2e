package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.common.SocketFile;
import dev.tulle.xds.WorkloadAttestor.Caller;
import dev.tulle.xds.WorkloadStream.Material;
import dev.tulle.xds.proto.spiffe.JWTBundlesResponse;
import dev.tulle.xds.proto.spiffe.JWTSVIDResponse;
import dev.tulle.xds.proto.spiffe.ValidateJWTSVIDResponse;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiFunction;
import java.util.random.RandomGenerator;

/**
 * SPIFFE's Workload API: gives each workload its own certificate and key, and whom to trust, for as long as it listens. Who
 * calls is known by its process and control group, never by what it says. Thread-safe.
 *
 * @see <a href="https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md">The Workload API</a>
 */
public final class WorkloadApiServer implements AutoCloseable {
    /** Streams of a workload, or of the user of processes in none; a client has one or two. */
    static final int PER_ACCOUNT = 128;

    /** Streams of all. */
    static final int MAX_STREAMS = 2_048;

    /** How long a first answer is waited for. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    /** Changes reach the clients within this time, each at another moment. */
    static final Duration SPREAD = Duration.ofSeconds(1);

    /** How soon callers are looked at when workloads begin or end. */
    private static final Duration LOOK = Duration.ofMillis(100);

    private static final int MAX_CALLS = 32;
    private static final int MAX_REQUEST_BYTES = 64 << 10;

    private static final System.Logger LOG = System.getLogger(WorkloadApiServer.class.getName());

    private final OwnerThread owner = new OwnerThread("workload-api");
    private final Path socket;
    private final LocalRefusals refusals;
    private final RandomGenerator random;
    private final Duration patience;
    private final Server server;
    private final Set<WorkloadStream<?>> streams = new LinkedHashSet<>();
    private final Map<String, Integer> counts = new HashMap<>();
    private final AtomicBoolean looking = new AtomicBoolean();
    private WorkloadSecrets secrets;

    private WorkloadApiServer(
            Path socket,
            Path bound,
            WorkloadAttestor attestor,
            LocalRefusals refusals,
            RandomGenerator random,
            String trustDomain,
            Duration patience) {
        this.socket = socket;
        this.patience = patience;
        this.refusals = refusals;
        this.random = random;
        this.secrets = new WorkloadSecrets(Map.of(), Map.of(), List.of(), trustDomain);
        WorkloadPeers peers = new WorkloadPeers(where(), attestor, refusals);
        this.server = LocalGrpc.server(bound, peers, MAX_CALLS, MAX_REQUEST_BYTES)
                .intercept(new WorkloadCalls())
                .addService(service())
                .build();
    }

    /**
     * Binds and starts to serve; who calls before the first {@link #update} waits.
     *
     * @param attestor says who calls
     * @param refusals told of what is too much
     * @param trustDomain whose roots are given
     * @throws IOException when the socket cannot be bound, or another live process serves it
     */
    public static WorkloadApiServer start(
            Path socket, WorkloadAttestor attestor, LocalRefusals refusals, RandomGenerator random, String trustDomain)
            throws IOException {
        return start(socket, attestor, refusals, random, trustDomain, PATIENCE);
    }

    static WorkloadApiServer start(
            Path socket,
            WorkloadAttestor attestor,
            LocalRefusals refusals,
            RandomGenerator random,
            String trustDomain,
            Duration patience)
            throws IOException {
        Path bound = SocketFile.prepare(socket);
        WorkloadApiServer made =
                new WorkloadApiServer(socket, bound, attestor, refusals, random, trustDomain, patience);
        try {
            made.server.start();
            SocketFile.publishToAll(bound, socket);
        } catch (IOException | RuntimeException e) {
            made.close();
            throw e;
        }
        return made;
    }

    private String where() {
        return String.valueOf(socket.getFileName());
    }

    /** Sends each caller what changed for it, at a moment of its own; those that wait for their first answer at once. */
    public void update(WorkloadSecrets next) {
        owner.offer(() -> {
            secrets = next;
            for (WorkloadStream<?> stream : List.copyOf(streams)) {
                if (stream.isAnswered()) {
                    long wait = random.nextLong(SPREAD.toNanos());
                    owner.offerLater(Duration.ofNanos(wait), () -> refresh(stream));
                } else {
                    refresh(stream);
                }
            }
        });
    }

    /** Looks again at who the callers are, as some may be nobody now; once, however often it is asked meanwhile. */
    public void lookAgain() {
        if (looking.compareAndSet(false, true)) {
            owner.offerLater(LOOK, () -> {
                looking.set(false);
                List.copyOf(streams).forEach(this::refresh);
            });
        }
    }

    private void refresh(WorkloadStream<?> stream) {
        stream.refresh(secrets);
        if (stream.hasEnded()) {
            forget(stream);
        }
    }

    private void forget(WorkloadStream<?> stream) {
        if (streams.remove(stream)) {
            counts.computeIfPresent(
                    stream.caller().account(), (_, count) -> count == 1 ? null : Integer.valueOf(count - 1));
        }
    }

    private ServerServiceDefinition service() {
        return ServerServiceDefinition.builder(WorkloadMethod.SERVICE)
                .addMethod(
                        WorkloadMethod.X509_SVID,
                        ServerCalls.asyncServerStreamingCall((_, answers) ->
                                open(answers, true, (material, _) -> WorkloadMessages.certificate(material))))
                .addMethod(
                        WorkloadMethod.X509_BUNDLES,
                        ServerCalls.asyncServerStreamingCall((_, answers) -> open(
                                answers,
                                false,
                                (material, now) -> WorkloadMessages.bundles(material, now.trustDomain()))))
                .addMethod(
                        WorkloadMethod.JWT_SVID,
                        ServerCalls.asyncUnaryCall(
                                (_, answers) -> WorkloadApiServer.<JWTSVIDResponse>noTokens(answers)))
                .addMethod(
                        WorkloadMethod.JWT_BUNDLES,
                        ServerCalls.asyncServerStreamingCall(
                                (_, answers) -> WorkloadApiServer.<JWTBundlesResponse>noTokens(answers)))
                .addMethod(
                        WorkloadMethod.VALIDATE_JWT,
                        ServerCalls.asyncUnaryCall(
                                (_, answers) -> WorkloadApiServer.<ValidateJWTSVIDResponse>noTokens(answers)))
                .build();
    }

    private static <P> void noTokens(StreamObserver<P> answers) {
        answers.onError(Status.UNIMPLEMENTED
                .withDescription("this mesh issues X.509-SVIDs only: expected FetchX509SVID or FetchX509Bundles")
                .asRuntimeException());
    }

    /** Takes over a call that a client has just made; on the event loop. */
    private <P> void open(
            StreamObserver<P> answers, boolean needsCertificate, BiFunction<Material, WorkloadSecrets, P> how) {
        ServerCallStreamObserver<P> call = (ServerCallStreamObserver<P>) answers;
        Caller caller = WorkloadCalls.current();
        WorkloadStream<P> stream = new WorkloadStream<>(caller, call, needsCertificate, how);
        call.setOnReadyHandler(() -> owner.offer(() -> refresh(stream)));
        call.setOnCancelHandler(() -> owner.offer(() -> {
            stream.gone();
            forget(stream);
        }));
        owner.execute(() -> begin(stream, call));
    }

    private void begin(WorkloadStream<?> stream, ServerCallStreamObserver<?> call) {
        String account = stream.caller().account();
        int now = counts.getOrDefault(account, 0);
        if (now >= PER_ACCOUNT || streams.size() >= MAX_STREAMS) {
            String limit = now >= PER_ACCOUNT
                    ? account + " has " + now + " calls open; expected at most " + PER_ACCOUNT
                    : "expected at most " + MAX_STREAMS + " calls at once";
            refusals.note(where(), account, limit);
            stream.gone();
            call.onError(Status.RESOURCE_EXHAUSTED.withDescription(limit).asRuntimeException());
            return;
        }
        streams.add(stream);
        counts.merge(account, 1, Integer::sum);
        refresh(stream);
        if (!stream.isAnswered() && !stream.hasEnded()) {
            owner.offerLater(patience, () -> {
                stream.giveUp(secrets);
                if (stream.hasEnded()) {
                    forget(stream);
                }
            });
        }
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
}
