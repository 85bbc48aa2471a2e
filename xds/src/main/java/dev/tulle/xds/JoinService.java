package dev.tulle.xds;

import com.google.protobuf.ByteString;
import dev.tulle.common.LocalRefusals;
import dev.tulle.xds.proto.tulle.JoinAnswer;
import dev.tulle.xds.proto.tulle.JoinRequest;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.net.SocketAddress;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;

/** The control plane's half of {@link JoinMethod}: asks the admission, on a virtual thread of its own. */
final class JoinService {
    /** Nodes that join at once; there is a signature to be made for each. */
    private static final int AT_ONCE = 8;

    private static final System.Logger LOG = System.getLogger(JoinService.class.getName());

    private final NodeAdmission admission;
    private final String where;
    private final LocalRefusals refusals;
    private final Semaphore places = new Semaphore(AT_ONCE);

    JoinService(NodeAdmission admission, String where, LocalRefusals refusals) {
        this.admission = admission;
        this.where = where;
        this.refusals = refusals;
    }

    ServerServiceDefinition definition() {
        return ServerServiceDefinition.builder(JoinMethod.SERVICE)
                .addMethod(JoinMethod.SERVED_JOIN, this::start)
                .build();
    }

    private ServerCall.Listener<Received<JoinRequest>> start(
            ServerCall<Received<JoinRequest>, JoinAnswer> call, Metadata headers) {
        SocketAddress from = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
        call.request(1);
        return new ServerCall.Listener<>() {
            @Override
            public void onMessage(Received<JoinRequest> received) {
                switch (received) {
                    case Received.Message<JoinRequest>(JoinRequest request) ->
                        handle(call, request, String.valueOf(from));
                    case Received.Unusable<JoinRequest>(Status why) -> call.close(why, new Metadata());
                }
            }
        };
    }

    private void handle(ServerCall<Received<JoinRequest>, JoinAnswer> call, JoinRequest request, String from) {
        if (!places.tryAcquire()) {
            String reason = AT_ONCE + " nodes join at this moment; expected to be tried again";
            call.close(Status.UNAVAILABLE.withDescription(reason), new Metadata());
            return;
        }
        Thread.ofVirtual().name("node-join").start(() -> {
            try {
                answer(call, request, from);
            } catch (RuntimeException | CertificateEncodingException e) {
                LOG.log(System.Logger.Level.ERROR, "a node cannot join", e);
                call.close(Status.INTERNAL.withDescription("the control plane failed: " + e), new Metadata());
            } finally {
                places.release();
            }
        });
    }

    private void answer(ServerCall<Received<JoinRequest>, JoinAnswer> call, JoinRequest request, String from)
            throws CertificateEncodingException {
        NodeAdmission.Decision decision = admission.join(
                request.getToken(), request.getNodeId(), request.getCsr().toByteArray(), from);
        switch (decision) {
            case NodeAdmission.Decision.Joined joined -> {
                call.sendHeaders(new Metadata());
                call.sendMessage(JoinAnswer.newBuilder()
                        .addAllChain(encoded(joined.chain()))
                        .addAllRoots(encoded(joined.roots()))
                        .build());
                call.close(Status.OK, new Metadata());
            }
            case NodeAdmission.Decision.Refused(String reason) -> {
                refusals.note(where, from, reason);
                call.close(Status.PERMISSION_DENIED.withDescription(reason), new Metadata());
            }
        }
    }

    private static List<ByteString> encoded(List<X509Certificate> certificates) throws CertificateEncodingException {
        List<ByteString> out = new ArrayList<>();
        for (X509Certificate certificate : certificates) {
            out.add(ByteString.copyFrom(certificate.getEncoded()));
        }
        return out;
    }
}
