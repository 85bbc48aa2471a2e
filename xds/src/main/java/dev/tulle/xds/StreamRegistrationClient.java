package dev.tulle.xds;

import dev.tulle.common.Backoff;
import dev.tulle.common.OwnerThread;
import dev.tulle.xds.proto.tulle.Announced;
import dev.tulle.xds.proto.tulle.Answer;
import dev.tulle.xds.proto.tulle.ControlMessage;
import dev.tulle.xds.proto.tulle.Deregister;
import dev.tulle.xds.proto.tulle.Health;
import dev.tulle.xds.proto.tulle.Heartbeat;
import dev.tulle.xds.proto.tulle.Hello;
import dev.tulle.xds.proto.tulle.Lease;
import dev.tulle.xds.proto.tulle.NodeMessage;
import dev.tulle.xds.proto.tulle.Trusts;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/** {@link RegistrationClient} over gRPC. All state belongs to the owner thread; the listener is called on it. */
final class StreamRegistrationClient implements RegistrationClient {
    private static final System.Logger LOG = System.getLogger(StreamRegistrationClient.class.getName());

    /** A stream that lived for this long was a good one: after it the waiting times begin anew. */
    private static final Duration STABLE = Duration.ofSeconds(2);

    private final RegistrationOptions options;
    private final Listener listener;

    /** Shows that a further stream is of this same agent: the control plane gives up an open one for no other. */
    private final String key = UUID.randomUUID().toString();

    private final OwnerThread owner = new OwnerThread("registration-client");
    private final Backoff backoff = new Backoff(GrpcChannels.FIRST_WAIT, GrpcChannels.LONGEST_WAIT, new Random());
    private final Map<String, WorkloadRegistration> workloads = new LinkedHashMap<>();
    private final Map<String, List<CompletableFuture<RegistrationAnswer>>> questions = new LinkedHashMap<>();
    private final Set<String> unanswered = new HashSet<>();
    private @Nullable Session session;
    private Optional<NodeLease> lease = Optional.empty();
    private boolean closed;
    private Instant since = Instant.now();
    private String lastTrouble = "";

    private StreamRegistrationClient(RegistrationOptions options, Listener listener) {
        this.options = options;
        this.listener = listener;
    }

    static StreamRegistrationClient start(RegistrationOptions options, Listener listener) {
        StreamRegistrationClient client = waiting(options, listener);
        client.begin();
        return client;
    }

    static StreamRegistrationClient waiting(RegistrationOptions options, Listener listener) {
        return new StreamRegistrationClient(options, listener);
    }

    @Override
    public void begin() {
        owner.execute(this::connect);
    }

    @Override
    public CompletableFuture<RegistrationAnswer> register(WorkloadRegistration workload) {
        CompletableFuture<RegistrationAnswer> answer = new CompletableFuture<>();
        owner.execute(() -> {
            String uid = workload.uid(options.nodeId());
            workloads.put(uid, workload);
            questions.computeIfAbsent(uid, key -> new ArrayList<>()).add(answer);
            announce(uid, workload);
        });
        return answer;
    }

    @Override
    public void health(String uid, boolean healthy) {
        owner.execute(() -> {
            WorkloadRegistration workload = workloads.get(uid);
            if (workload != null && workload.healthy() != healthy) {
                workloads.put(uid, workload.withHealth(healthy));
                send(NodeMessage.newBuilder()
                        .setHealth(Health.newBuilder().setUid(uid).setHealthy(healthy))
                        .build());
            }
        });
    }

    @Override
    public void deregister(String uid) {
        owner.execute(() -> {
            if (workloads.remove(uid) != null) {
                unanswered.remove(uid);
                settle(new RegistrationAnswer.Refused(uid, "taken back before it was answered"));
                send(NodeMessage.newBuilder()
                        .setDeregister(Deregister.newBuilder().setUid(uid))
                        .build());
            }
        });
    }

    @Override
    public void trusts(Set<String> roots) {
        owner.execute(() -> send(NodeMessage.newBuilder()
                .setTrusts(Trusts.newBuilder().addAllRoots(roots))
                .build()));
    }

    @Override
    public RegistrationStatus status() {
        try {
            return owner.call(() ->
                    new RegistrationStatus(isLeased(), since, lease, workloads.size(), unanswered.size(), lastTrouble));
        } catch (RejectedExecutionException e) {
            return new RegistrationStatus(false, Instant.now(), Optional.empty(), 0, 0, "the client is closed");
        }
    }

    @Override
    public void close() {
        try {
            owner.execute(() -> {
                closed = true;
                Session open = session;
                session = null;
                if (open != null) {
                    open.finish();
                }
                for (String uid : List.copyOf(questions.keySet())) {
                    settle(new RegistrationAnswer.Refused(uid, "the registration client was closed"));
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.log(System.Logger.Level.DEBUG, "closed already");
        }
        owner.close();
    }

    private void connect() {
        if (closed) {
            return;
        }
        Session next = new Session(GrpcChannels.open(options.control()));
        session = next;
        next.start();
    }

    private void announce(String uid, WorkloadRegistration workload) {
        unanswered.add(uid);
        send(NodeMessage.newBuilder()
                .setRegister(RegistrationMethod.encode(workload))
                .build());
    }

    private void send(NodeMessage message) {
        Session open = session;
        if (open != null && open.leased) {
            open.call.sendMessage(message);
        }
    }

    /** Answers those who asked about the workload, and says whether anybody did. */
    private boolean settle(RegistrationAnswer answer) {
        List<CompletableFuture<RegistrationAnswer>> asked = questions.remove(answer.uid());
        if (asked == null) {
            return false;
        }
        asked.forEach(question -> question.complete(answer));
        return true;
    }

    private boolean isLeased() {
        Session open = session;
        return open != null && open.leased;
    }

    /** One stream, from its attempt to connect to its end. gRPC calls in on its event loop. */
    private final class Session extends ClientCall.Listener<ControlMessage> {
        private final ManagedChannel channel;
        private final ClientCall<NodeMessage, ControlMessage> call;
        private Instant heard = Instant.now();
        private boolean leased;

        Session(ManagedChannel channel) {
            this.channel = channel;
            this.call = channel.newCall(RegistrationMethod.SESSION, CallOptions.DEFAULT);
        }

        void start() {
            call.start(this, new Metadata());
            call.request(1);
            call.sendMessage(NodeMessage.newBuilder()
                    .setHello(Hello.newBuilder()
                            .setNodeId(options.nodeId())
                            .setWantedPrefix(lease.map(NodeLease::prefix).orElse(options.wantedPrefix()))
                            .setLocality(options.locality().toString())
                            .setKey(key)
                            .setAddress(options.address()))
                    .build());
            owner.offerLater(RegistrationMethod.HEARTBEAT, this::beat);
        }

        private void beat() {
            if (session != this) {
                return;
            }
            Duration silent = Duration.between(heard, Instant.now());
            if (silent.compareTo(RegistrationMethod.SILENCE) > 0) {
                ended("no answer for " + silent.toSeconds() + " s");
                return;
            }
            send(NodeMessage.newBuilder()
                    .setHeartbeat(Heartbeat.getDefaultInstance())
                    .build());
            owner.offerLater(RegistrationMethod.HEARTBEAT, this::beat);
        }

        @Override
        public void onMessage(ControlMessage message) {
            owner.offer(() -> {
                if (session != this) {
                    return;
                }
                heard = Instant.now();
                switch (message.getKindCase()) {
                    case LEASE -> leased(message.getLease());
                    case ANSWER -> answered(message.getAnswer());
                    case REFUSAL -> ended("refused: " + message.getRefusal().getReason());
                    case TRUST -> trust(message.getTrust());
                    case HEARTBEAT, KIND_NOT_SET -> {}
                }
                call.request(1);
            });
        }

        @Override
        public void onClose(Status end, Metadata trailers) {
            owner.offer(() -> ended(GrpcChannels.reason(end.asRuntimeException())));
        }

        private void leased(Lease granted) {
            NodeLease next = new NodeLease(
                    granted.getPrefix(),
                    granted.getWorkloadRange(),
                    granted.getServiceRange(),
                    granted.getNodes(),
                    Duration.ofMillis(Integer.toUnsignedLong(granted.getTimeoutMillis())));
            boolean again = leased;
            lease = Optional.of(next);
            leased = true;
            if (again) {
                // What has been announced stays so.
                tell(() -> listener.onLease(next));
                return;
            }
            since = Instant.now();
            tell(() -> listener.onLease(next));
            unanswered.clear();
            workloads.forEach(StreamRegistrationClient.this::announce);
            send(NodeMessage.newBuilder()
                    .setAnnounced(Announced.getDefaultInstance())
                    .build());
        }

        private void trust(dev.tulle.xds.proto.tulle.Trust told) {
            Trust read;
            try {
                read = Trust.decode(told);
            } catch (GeneralSecurityException e) {
                LOG.log(System.Logger.Level.ERROR, "whom to believe cannot be read, nothing changes", e);
                return;
            }
            tell(() -> listener.onTrust(read));
        }

        private void answered(Answer answer) {
            String uid = answer.getUid();
            unanswered.remove(uid);
            boolean asked = settle(
                    answer.getAccepted()
                            ? new RegistrationAnswer.Accepted(uid)
                            : new RegistrationAnswer.Refused(uid, answer.getReason()));
            if (!asked && !answer.getAccepted()) {
                tell(() -> listener.onTrouble("workload " + uid + " is refused: " + answer.getReason()));
            }
        }

        private void ended(String reason) {
            if (session != this) {
                return;
            }
            session = null;
            channel.shutdownNow();
            boolean news = leased || lastTrouble.isEmpty();
            if (leased) {
                if (Duration.between(since, Instant.now()).compareTo(STABLE) > 0) {
                    backoff.reset();
                }
                since = Instant.now();
            }
            leased = false;
            lastTrouble = reason;
            if (news) {
                LOG.log(System.Logger.Level.INFO, "registration stream ended: {0}", reason);
                tell(() -> listener.onTrouble(reason));
            }
            if (!closed) {
                owner.offerLater(backoff.next(), StreamRegistrationClient.this::connect);
            }
        }

        private void finish() {
            call.halfClose();
            channel.shutdown();
        }

        private void tell(Runnable call) {
            try {
                call.run();
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "the listener of the registration failed", e);
            }
        }
    }
}
