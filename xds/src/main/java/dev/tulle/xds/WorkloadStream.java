package dev.tulle.xds;

import dev.tulle.common.pki.SpiffeId;
import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.xds.WorkloadAttestor.Caller;
import dev.tulle.xds.WorkloadAttestor.Standing;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * One call that is answered whenever something changes for its caller, who is looked at again before each answer. On the
 * server's owner thread.
 *
 * @param <P> the response message
 */
final class WorkloadStream<P> {
    /** What an answer is made of; two equal ones make the same. */
    record Material(SpiffeId identity, @Nullable TlsIdentity certificate, List<X509Certificate> roots) {}

    private final Caller caller;
    private final ServerCallStreamObserver<P> call;
    /** True for answers that hold the caller's certificate. */
    private final boolean needsCertificate;

    private final BiFunction<Material, WorkloadSecrets, P> answers;
    private Optional<Material> sent = Optional.empty();
    private boolean ended;

    WorkloadStream(
            Caller caller,
            ServerCallStreamObserver<P> call,
            boolean needsCertificate,
            BiFunction<Material, WorkloadSecrets, P> answers) {
        this.caller = caller;
        this.call = call;
        this.needsCertificate = needsCertificate;
        this.answers = answers;
    }

    Caller caller() {
        return caller;
    }

    /** True when it has been answered: what comes now is a change. */
    boolean isAnswered() {
        return sent.isPresent();
    }

    /** Sends what there is for the caller now, if that is something new and the connection takes it. */
    void refresh(WorkloadSecrets now) {
        if (ended) {
            return;
        }
        switch (caller.standing()) {
            case Standing.Nobody(String why) -> end(Status.PERMISSION_DENIED.withDescription(why));
            case Standing.Workload(SpiffeId identity) -> {
                TlsIdentity certificate = needsCertificate ? now.certificates().get(identity) : null;
                Material next = new Material(identity, certificate, now.roots());
                boolean whole = !now.roots().isEmpty() && (certificate != null || !needsCertificate);
                if (whole && !sent.equals(Optional.of(next)) && call.isReady()) {
                    sent = Optional.of(next);
                    call.onNext(answers.apply(next, now));
                }
            }
        }
    }

    /** The first answer has been waited for long enough. */
    void giveUp(WorkloadSecrets now) {
        if (ended || isAnswered()) {
            return;
        }
        String why = caller.standing() instanceof Standing.Workload(SpiffeId identity)
                ? now.troubles().getOrDefault(identity, "the authority has not answered")
                : "";
        end(Status.UNAVAILABLE.withDescription("there is no certificate yet: " + why));
    }

    private void end(Status why) {
        ended = true;
        call.onError(why.asRuntimeException());
    }

    /** The client has gone. */
    void gone() {
        ended = true;
    }

    boolean hasEnded() {
        return ended;
    }
}
