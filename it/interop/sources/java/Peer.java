import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.testing.integration.TestServiceImpl;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The two ends in Java: serve PORT; calls HOST PORT NAME [java] runs every case. The service is grpc-java's own. */
final class Peer {
    static final Metadata.Key<String> NAME = Metadata.Key.of("x-seen", Metadata.ASCII_STRING_MARSHALLER);

    private Peer() {}

    public static void main(String[] words) throws Exception {
        if (words[0].equals("serve")) {
            serve(Integer.parseInt(words[1]));
        } else {
            Calls.all(words[1], Integer.parseInt(words[2]), words[3], words.length > 4);
            System.exit(0);
        }
    }

    private static void serve(int port) throws Exception {
        List<ServerInterceptor> interceptors = new ArrayList<>(TestServiceImpl.interceptors());
        interceptors.add(new Seen());
        Grpc.newServerBuilderForPort(port, InsecureServerCredentials.create())
                .addService(ServerInterceptors.intercept(
                        new TestServiceImpl(Executors.newScheduledThreadPool(2)), interceptors))
                .build()
                .start()
                .awaitTermination();
    }

    /** Says of a named call how much time it had when it came, and whether it had been given up when it was over. */
    private static final class Seen implements ServerInterceptor {
        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, A> call, Metadata head, ServerCallHandler<Q, A> next) {
            String name = head.get(NAME);
            Deadline deadline = Context.current().getDeadline();
            String left = deadline == null ? "none" : Long.toString(deadline.timeRemaining(TimeUnit.MILLISECONDS));
            ServerCall.Listener<Q> listener = next.startCall(call, head);
            if (name == null) {
                return listener;
            }
            return new SimpleForwardingServerCallListener<>(listener) {
                @Override
                public void onCancel() {
                    say("cancelled");
                    super.onCancel();
                }

                @Override
                public void onComplete() {
                    say("ok");
                    super.onComplete();
                }

                private void say(String ended) {
                    System.out.println("seen " + name + " deadline=" + left + " ended=" + ended);
                }
            };
        }
    }
}
