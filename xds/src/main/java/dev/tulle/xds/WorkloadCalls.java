package dev.tulle.xds;

import dev.tulle.xds.WorkloadAttestor.Caller;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;

/**
 * Refuses calls without the header of the Workload API: whoever can make a program send a request to a socket (server-side
 * request forgery) can hardly make it send that. Lets the service ask for the caller.
 */
final class WorkloadCalls implements ServerInterceptor {
    private static final Metadata.Key<String> HEADER =
            Metadata.Key.of("workload.spiffe.io", Metadata.ASCII_STRING_MARSHALLER);
    private static final Context.Key<Caller> CALLER = Context.key("tulle-caller");

    /** The caller; to be asked when the call starts. */
    static Caller current() {
        return CALLER.get();
    }

    @Override
    public <Q, P> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, P> call, Metadata headers, ServerCallHandler<Q, P> next) {
        Caller caller = call.getAttributes().get(WorkloadPeers.CALLER);
        if (caller == null) {
            return refused(call, Status.INTERNAL.withDescription("a call that did not come over a connection"));
        }
        if (!"true".equals(headers.get(HEADER))) {
            return refused(
                    call, Status.INVALID_ARGUMENT.withDescription("expected the header workload.spiffe.io: true"));
        }
        return Contexts.interceptCall(Context.current().withValue(CALLER, caller), call, headers, next);
    }

    private static <Q, P> ServerCall.Listener<Q> refused(ServerCall<Q, P> call, Status why) {
        call.close(why, new Metadata());
        return new ServerCall.Listener<>() {};
    }
}
