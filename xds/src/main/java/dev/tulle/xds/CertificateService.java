package dev.tulle.xds;

import com.google.protobuf.Value;
import dev.tulle.common.LocalRefusals;
import dev.tulle.xds.proto.istio.auth.IstioCertificateRequest;
import dev.tulle.xds.proto.istio.auth.IstioCertificateResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;

/**
 * Istio's service of certificates, as its agents and ztunnel call it. Who asks is known by the connection: what a request
 * says of itself, such as a bearer token, counts for nothing. The issuer is asked on a virtual thread of its own.
 */
final class CertificateService {
    /** Requests at once; each waits for a signature and for the disk. Further ones are told to come again. */
    private static final int AT_ONCE = 64;

    private static final System.Logger LOG = System.getLogger(CertificateService.class.getName());

    private final CertificateIssuer issuer;
    private final String where;
    private final LocalRefusals refusals;
    private final Semaphore places = new Semaphore(AT_ONCE);

    CertificateService(CertificateIssuer issuer, String where, LocalRefusals refusals) {
        this.issuer = issuer;
        this.where = where;
        this.refusals = refusals;
    }

    ServerServiceDefinition definition() {
        return ServerServiceDefinition.builder(CertificateMethod.SERVICE)
                .addMethod(CertificateMethod.SERVED_CREATE, this::start)
                .build();
    }

    private ServerCall.Listener<Received<IstioCertificateRequest>> start(
            ServerCall<Received<IstioCertificateRequest>, IstioCertificateResponse> call, Metadata headers) {
        Peer peer = PeerContext.current();
        Optional<Asker> asker = asker(peer);
        if (asker.isEmpty()) {
            String reason = "asks for a certificate, expected root of this host or the agent of a node";
            refusals.note(where, peer.holder(), reason);
            call.close(Status.PERMISSION_DENIED.withDescription(peer + " " + reason), new Metadata());
            return new ServerCall.Listener<>() {};
        }
        call.request(1);
        return new ServerCall.Listener<>() {
            private Optional<Received<IstioCertificateRequest>> received = Optional.empty();

            @Override
            public void onMessage(Received<IstioCertificateRequest> message) {
                received = Optional.of(message);
            }

            @Override
            public void onHalfClose() {
                handle(
                        call,
                        asker.get(),
                        received.orElse(new Received.Unusable<>(
                                Status.INVALID_ARGUMENT.withDescription("expected one request, found none"))));
            }
        };
    }

    private static Optional<Asker> asker(Peer peer) {
        if (!peer.registers()) {
            return Optional.empty();
        }
        return switch (peer) {
            case Peer.LocalProcess _ -> Optional.of(new Asker.Local());
            case Peer.Node node -> Optional.of(new Asker.Node(node.name()));
            case Peer.Stranger _ -> Optional.empty();
        };
    }

    private void handle(
            ServerCall<Received<IstioCertificateRequest>, IstioCertificateResponse> call,
            Asker asker,
            Received<IstioCertificateRequest> received) {
        switch (received) {
            case Received.Unusable<IstioCertificateRequest>(Status why) -> call.close(why, new Metadata());
            case Received.Message<IstioCertificateRequest>(IstioCertificateRequest request) -> {
                if (!places.tryAcquire()) {
                    call.close(
                            Status.UNAVAILABLE.withDescription(AT_ONCE
                                    + " certificates are being signed at this moment; expected to be tried again"),
                            new Metadata());
                    return;
                }
                Thread.ofVirtual().name("certificate").start(() -> {
                    try {
                        answer(call, asker, request);
                    } catch (RuntimeException e) {
                        LOG.log(System.Logger.Level.ERROR, "a certificate cannot be given", e);
                        call.close(Status.INTERNAL.withDescription("the control plane failed: " + e), new Metadata());
                    } finally {
                        places.release();
                    }
                });
            }
        }
    }

    private void answer(
            ServerCall<Received<IstioCertificateRequest>, IstioCertificateResponse> call,
            Asker asker,
            IstioCertificateRequest request) {
        Value named = request.getMetadata().getFieldsMap().get(CertificateMethod.IDENTITY);
        Duration life = Duration.ofSeconds(Math.max(0, request.getValidityDuration()));
        switch (issuer.create(asker, request.getCsr(), life, named == null ? "" : named.getStringValue())) {
            case CertificateIssuer.Answer.Issued issued -> {
                call.sendHeaders(new Metadata());
                call.sendMessage(IstioCertificateResponse.newBuilder()
                        .addAllCertChain(issued.chain())
                        .build());
                call.close(Status.OK, new Metadata());
            }
            case CertificateIssuer.Answer.Refused(CertificateIssuer.Why why, String reason) -> {
                if (asker instanceof Asker.Node) {
                    // This host's own agent is no stranger: it may ask a moment before its workload is registered.
                    refusals.note(where, asker.toString(), reason);
                }
                call.close(status(why).withDescription(reason), new Metadata());
            }
        }
    }

    private static Status status(CertificateIssuer.Why why) {
        return switch (why) {
            case INVALID -> Status.INVALID_ARGUMENT;
            case FORBIDDEN -> Status.PERMISSION_DENIED;
            case TOO_OFTEN -> Status.RESOURCE_EXHAUSTED;
            case FAILED -> Status.UNAVAILABLE;
        };
    }
}
