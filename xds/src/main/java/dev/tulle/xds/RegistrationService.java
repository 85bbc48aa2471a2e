package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.OwnerThread;
import dev.tulle.model.Locality;
import dev.tulle.xds.NodeRegistry.HelloAnswer;
import dev.tulle.xds.proto.tulle.Answer;
import dev.tulle.xds.proto.tulle.ControlMessage;
import dev.tulle.xds.proto.tulle.Heartbeat;
import dev.tulle.xds.proto.tulle.Hello;
import dev.tulle.xds.proto.tulle.Lease;
import dev.tulle.xds.proto.tulle.NodeMessage;
import dev.tulle.xds.proto.tulle.Refusal;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The control plane's half of the registration stream: one stream per node, opened by root or the server's own user,
 * or by a node that has joined for itself. While
 * it is open only the same agent may replace it. Messages are handled on the
 * owner thread, one at a time per stream, and few are read ahead.
 */
final class RegistrationService {
    /** Messages of a stream that may wait for the owner thread: a node that announces many waits for no hand-over each. */
    private static final int AHEAD = 64;

    private static final System.Logger LOG = System.getLogger(RegistrationService.class.getName());

    private final OwnerThread owner;
    private final NodeRegistry registry;
    private final String where;
    private final LocalRefusals refusals;
    private final Map<String, Session> nodes = new HashMap<>();
    private Optional<Trust> trust = Optional.empty();

    RegistrationService(OwnerThread owner, NodeRegistry registry, String where, LocalRefusals refusals) {
        this.owner = owner;
        this.registry = registry;
        this.where = where;
        this.refusals = refusals;
    }

    ServerServiceDefinition definition() {
        return ServerServiceDefinition.builder(RegistrationMethod.SERVICE)
                .addMethod(RegistrationMethod.SERVED_SESSION, this::start)
                .build();
    }

    private ServerCall.Listener<Received<NodeMessage>> start(
            ServerCall<Received<NodeMessage>, ControlMessage> call, Metadata headers) {
        Peer peer = PeerContext.current();
        if (!peer.registers()) {
            String reason = "registers nodes and workloads, expected root";
            refusals.note(where, peer.holder(), reason);
            call.close(Status.PERMISSION_DENIED.withDescription(peer + " " + reason), new Metadata());
            return new ServerCall.Listener<>() {};
        }
        call.sendHeaders(new Metadata());
        Session session = new Session(call, peer);
        call.request(AHEAD);
        return session;
    }

    /** Tells a node that is connected what its lease is now. On the owner thread. */
    void renew(String node, NodeLease lease) {
        Session open = nodes.get(node);
        if (open != null) {
            open.lease(lease);
        }
    }

    /** Ends the stream of a node. On the owner thread. */
    void drop(String node, String reason) {
        Session open = nodes.get(node);
        if (open != null) {
            open.close(Status.PERMISSION_DENIED, reason);
        }
    }

    /** Tells every node that is connected, and those that come, whom to believe. On the owner thread. */
    void trust(Trust now) {
        trust = Optional.of(now);
        List.copyOf(nodes.values()).forEach(Session::tellTrust);
    }

    private final class Session extends ServerCall.Listener<Received<NodeMessage>> {
        private final ServerCall<Received<NodeMessage>, ControlMessage> call;
        private final Peer peer;
        private final Map<String, WorkloadRegistration> announced = new LinkedHashMap<>();
        private String key = "";
        private @Nullable String nodeId;
        private OwnerThread.@Nullable Delayed silence;
        private boolean closed;

        /** A message could not be kept: those after it would be understood without it. Only used by gRPC's callbacks. */
        private boolean missed;

        Session(ServerCall<Received<NodeMessage>, ControlMessage> call, Peer peer) {
            this.call = call;
            this.peer = peer;
        }

        @Override
        public void onMessage(Received<NodeMessage> message) {
            if (!missed && !owner.offer(() -> handle(message))) {
                missed = true;
                end(() -> close(Status.RESOURCE_EXHAUSTED, "the control plane is overloaded"));
            }
        }

        @Override
        public void onHalfClose() {
            end(() -> close(Status.OK, "the node closed its stream"));
        }

        @Override
        public void onCancel() {
            end(() -> gone("the node's stream broke"));
        }

        /**
         * On the owner thread, as everything else that ends or answers the call, and however many wait for it: the node could
         * not come back while its old stream is taken for open.
         */
        private void end(Runnable task) {
            owner.offerLater(Duration.ZERO, task);
        }

        private void handle(Received<NodeMessage> received) {
            if (closed) {
                return;
            }
            switch (received) {
                case Received.Message<NodeMessage>(NodeMessage message) -> handle(message);
                case Received.Unusable<NodeMessage>(Status why) -> close(why, String.valueOf(why.getDescription()));
            }
        }

        private void handle(NodeMessage message) {
            watchSilence();
            switch (message.getKindCase()) {
                case HELLO -> hello(message.getHello());
                case HEARTBEAT ->
                    send(ControlMessage.newBuilder()
                            .setHeartbeat(Heartbeat.getDefaultInstance())
                            .build());
                case REGISTER, DEREGISTER, HEALTH, ANNOUNCED, TRUSTS -> workload(message);
                case KIND_NOT_SET -> LOG.log(System.Logger.Level.DEBUG, "a node sent a message of an unknown kind");
            }
            call.request(1);
        }

        private void hello(Hello hello) {
            if (hello.getNodeId().isEmpty() || nodeId != null) {
                close(Status.INVALID_ARGUMENT, "expected one hello with a node id at the start of the stream");
                return;
            }
            if (!peer.speaksFor(hello.getNodeId())
                    || (peer instanceof Peer.Node joined && !registry.admits(joined.name()))) {
                String reason =
                        "a hello of node " + hello.getNodeId() + ", expected that of its own node, which has joined";
                refusals.note(where, peer.holder(), reason);
                close(Status.PERMISSION_DENIED, peer + " sent " + reason);
                return;
            }
            Locality locality;
            try {
                locality = Locality.parse(hello.getLocality());
            } catch (IllegalArgumentException e) {
                close(Status.INVALID_ARGUMENT, "the hello of " + hello.getNodeId() + ": " + e.getMessage());
                return;
            }
            Session earlier = nodes.get(hello.getNodeId());
            key = hello.getKey();
            if (earlier != null && !isSameAgent(earlier)) {
                String reason = "node " + hello.getNodeId() + " is registered by another agent (" + earlier.peer
                        + "), which is connected; expected another node name";
                refusals.note(where, peer.holder(), reason);
                send(ControlMessage.newBuilder()
                        .setRefusal(Refusal.newBuilder().setReason(reason))
                        .build());
                close(Status.ALREADY_EXISTS, reason);
                return;
            }
            if (earlier != null) {
                earlier.nodeId = null;
                earlier.close(Status.ABORTED, "the node opened another stream");
            }
            NodeHello said = new NodeHello(hello.getNodeId(), hello.getWantedPrefix(), locality, hello.getAddress());
            switch (registry.hello(said)) {
                case HelloAnswer.Granted(NodeLease lease) -> {
                    nodeId = hello.getNodeId();
                    nodes.put(hello.getNodeId(), this);
                    lease(lease);
                    tellTrust();
                }
                case HelloAnswer.Refused(String reason) -> {
                    nodes.remove(hello.getNodeId());
                    send(ControlMessage.newBuilder()
                            .setRefusal(Refusal.newBuilder().setReason(reason))
                            .build());
                    close(Status.FAILED_PRECONDITION, reason);
                }
            }
        }

        private void lease(NodeLease lease) {
            send(ControlMessage.newBuilder()
                    .setLease(Lease.newBuilder()
                            .setPrefix(lease.prefix())
                            .setWorkloadRange(lease.workloadRange())
                            .setServiceRange(lease.serviceRange())
                            .setNodes(lease.nodes())
                            .setTimeoutMillis((int) lease.timeout().toMillis()))
                    .build());
        }

        private void tellTrust() {
            trust.ifPresent(now ->
                    send(ControlMessage.newBuilder().setTrust(now.encode()).build()));
        }

        private boolean isSameAgent(Session earlier) {
            return earlier.peer.holder().equals(peer.holder()) && !key.isEmpty() && earlier.key.equals(key);
        }

        private void workload(NodeMessage message) {
            String node = nodeId;
            if (node == null) {
                close(Status.INVALID_ARGUMENT, "expected a hello at the start of the stream");
                return;
            }
            switch (message.getKindCase()) {
                case REGISTER -> {
                    WorkloadRegistration workload;
                    try {
                        workload = RegistrationMethod.decode(message.getRegister());
                    } catch (IllegalArgumentException e) {
                        close(Status.INVALID_ARGUMENT, "workload cannot be read: " + e.getMessage());
                        return;
                    }
                    announced.put(workload.uid(node), workload);
                    register(node, workload);
                }
                case DEREGISTER -> {
                    announced.remove(message.getDeregister().getUid());
                    registry.deregister(node, message.getDeregister().getUid());
                }
                case HEALTH ->
                    registry.health(
                            node,
                            message.getHealth().getUid(),
                            message.getHealth().getHealthy());
                case TRUSTS ->
                    registry.trusts(
                            node,
                            message.getTrusts().getRootsList().stream()
                                    .filter(root -> root.length() == Trust.FINGERPRINT)
                                    .limit(Trust.MAX)
                                    .collect(Collectors.toUnmodifiableSet()));
                default -> registry.announced(node, Set.copyOf(announced.keySet()));
            }
        }

        private void register(String node, WorkloadRegistration workload) {
            RegistrationAnswer answer = registry.register(node, workload);
            switch (answer) {
                case RegistrationAnswer.Accepted _ ->
                    registry.whenInForce(() -> {
                        if (workload.equals(announced.get(answer.uid()))) {
                            answer(answer);
                        }
                    });
                case RegistrationAnswer.Refused _ -> answer(answer);
            }
        }

        private void answer(RegistrationAnswer answer) {
            Answer.Builder out = Answer.newBuilder().setUid(answer.uid());
            switch (answer) {
                case RegistrationAnswer.Accepted accepted -> out.setAccepted(true);
                case RegistrationAnswer.Refused refused -> out.setReason(refused.reason());
            }
            send(ControlMessage.newBuilder().setAnswer(out).build());
        }

        private void watchSilence() {
            if (silence != null) {
                silence.cancel();
            }
            silence = owner.schedule(
                    RegistrationMethod.SILENCE,
                    () -> close(
                            Status.DEADLINE_EXCEEDED,
                            "no heartbeat for " + RegistrationMethod.SILENCE.toSeconds() + " s"));
        }

        private void send(ControlMessage message) {
            if (!closed) {
                call.sendMessage(message);
            }
        }

        private void close(Status status, String reason) {
            if (!closed) {
                call.close(status.withDescription(reason), new Metadata());
                gone(reason);
            }
        }

        private void gone(String reason) {
            if (closed) {
                return;
            }
            closed = true;
            if (silence != null) {
                silence.cancel();
            }
            String node = nodeId;
            if (node != null && nodes.remove(node, this)) {
                registry.disconnected(node, reason);
            }
        }
    }
}
