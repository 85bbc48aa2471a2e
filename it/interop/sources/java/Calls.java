import com.google.protobuf.ByteString;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.grpc.testing.integration.AbstractInteropTest;
import io.grpc.testing.integration.Messages.Payload;
import io.grpc.testing.integration.Messages.ResponseParameters;
import io.grpc.testing.integration.Messages.SimpleRequest;
import io.grpc.testing.integration.Messages.StreamingOutputCallRequest;
import io.grpc.testing.integration.Messages.StreamingOutputCallResponse;
import io.grpc.testing.integration.TestServiceGrpc.TestServiceStub;
import java.util.Map;
import java.util.LinkedHashMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The cases in Java: grpc-java's own, and what is seen by the server, which is not among them. */
final class Calls extends AbstractInteropTest {
    private static final int LIMIT_SECONDS = 30; // of one case
    private static final int[] SIZES = {31_415, 9, 2_653, 58_979};

    private final String host;
    private final int port;

    private interface Case {
        void run(Calls calls) throws Exception;
    }

    private Calls(String host, int port) {
        this.host = host;
        this.port = port;
    }

    static void all(String host, int port, String name, boolean compressing) {
        cases(name, compressing).forEach((which, run) -> {
            String why = failure(new Calls(host, port), run);
            System.out.println(why.isEmpty() ? "ok " + which : "not ok " + which + ": " + why);
        });
    }

    /** By name; those in which the server is asked to compress, or to tell whether it was, only a server in Java has. */
    private static Map<String, Case> cases(String name, boolean compressing) {
        Map<String, Case> all = new LinkedHashMap<>();
        all.put("empty_unary", Calls::emptyUnary);
        all.put("large_unary", Calls::largeUnary);
        all.put("client_streaming", Calls::clientStreaming);
        all.put("server_streaming", Calls::serverStreaming);
        all.put("ping_pong", Calls::pingPong);
        all.put("empty_stream", Calls::emptyStream);
        all.put("timeout_on_sleeping_server", Calls::timeoutOnSleepingServer);
        all.put("cancel_after_begin", Calls::cancelAfterBegin);
        all.put("cancel_after_first_response", Calls::cancelAfterFirstResponse);
        all.put("status_code_and_message", Calls::statusCodeAndMessage);
        all.put("special_status_message", Calls::specialStatusMessage);
        all.put("unimplemented_method", Calls::unimplementedMethod);
        all.put("unimplemented_service", Calls::unimplementedService);
        all.put("custom_metadata", Calls::customMetadata);
        all.put("gzip_unary", Calls::gzipUnary);
        all.put("gzip_stream", Calls::gzipStream);
        all.put("cancel_seen", calls -> calls.cancelSeen(name + ".cancel_seen"));
        all.put("deadline_seen", calls -> calls.deadlineSeen(name + ".deadline_seen"));
        all.put("deadline_ends", calls -> calls.deadlineEnds(name + ".deadline_ends"));
        if (compressing) {
            all.put("client_compressed_unary", calls -> calls.clientCompressedUnary(false));
            all.put("server_compressed_unary", Calls::serverCompressedUnary);
            all.put("client_compressed_streaming", calls -> calls.clientCompressedStreaming(false));
            all.put("server_compressed_streaming", Calls::serverCompressedStreaming);
        }
        return all;
    }

    private static String failure(Calls calls, Case run) {
        CompletableFuture<String> ended = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                calls.setUp();
                run.run(calls);
                calls.tearDown();
                ended.complete("");
            } catch (Throwable e) {
                ended.complete(e.toString().replaceAll("\\s+", " "));
            }
        });
        String text = ended.completeOnTimeout("late", LIMIT_SECONDS, TimeUnit.SECONDS).join();
        if (!text.equals("late")) {
            return text;
        }
        ManagedChannel open = calls.channel;
        return "not within " + LIMIT_SECONDS + " s, its connection is "
                + (open == null ? "not begun" : open.getState(false));
    }

    @Override
    protected ManagedChannelBuilder<?> createChannelBuilder() {
        return Grpc.newChannelBuilderForAddress(host, port, InsecureChannelCredentials.create())
                .maxInboundMessageSize(MAX_MESSAGE_SIZE);
    }

    @Override
    protected boolean metricsExpected() {
        return false;
    }

    @Override
    protected int operationTimeoutMillis() {
        return 15_000;
    }

    private static <S extends AbstractStub<S>> S named(S stub, String name) {
        Metadata head = new Metadata();
        head.put(Peer.NAME, name);
        return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(head));
    }

    private static Payload payload(int size) {
        return Payload.newBuilder().setBody(ByteString.copyFrom(new byte[size])).build();
    }

    private static void require(boolean right, Object found) {
        if (!right) {
            throw new AssertionError("found " + found);
        }
    }

    private void gzipUnary() {
        int size = blockingStub
                .withCompression("gzip")
                .unaryCall(SimpleRequest.newBuilder()
                        .setResponseSize(314_159)
                        .setPayload(payload(271_828))
                        .build())
                .getPayload()
                .getBody()
                .size();
        require(size == 314_159, size);
    }

    private void gzipStream() throws InterruptedException {
        Stream stream = new Stream(asyncStub.withCompression("gzip"));
        for (int size : SIZES) {
            stream.ask(size);
            require(stream.next() instanceof StreamingOutputCallResponse answer
                    && answer.getPayload().getBody().size() == size, size);
        }
        stream.requests.onCompleted();
        stream.ends(Status.Code.OK);
    }

    private void cancelSeen(String name) throws InterruptedException {
        Stream stream = new Stream(named(asyncStub, name));
        stream.begin();
        stream.requests.cancel("enough", null);
        stream.ends(Status.Code.CANCELLED);
        // What has to go out for it goes out before the connection closes.
        blockingStub.emptyCall(EMPTY);
    }

    private void deadlineSeen(String name) {
        named(blockingStub, name).withDeadlineAfter(30, TimeUnit.SECONDS).unaryCall(SimpleRequest.getDefaultInstance());
    }

    private void deadlineEnds(String name) throws InterruptedException {
        Stream stream = new Stream(named(asyncStub, name).withDeadlineAfter(2, TimeUnit.SECONDS));
        stream.begin();
        stream.ends(Status.Code.DEADLINE_EXCEEDED);
        blockingStub.emptyCall(EMPTY);
    }

    /** A call in both directions; what comes is waited for. */
    private static final class Stream implements StreamObserver<StreamingOutputCallResponse> {
        final BlockingQueue<Object> come = new LinkedBlockingQueue<>();
        final ClientCallStreamObserver<StreamingOutputCallRequest> requests;

        Stream(TestServiceStub stub) {
            requests = (ClientCallStreamObserver<StreamingOutputCallRequest>) stub.fullDuplexCall(this);
        }

        void ask(int size) {
            requests.onNext(StreamingOutputCallRequest.newBuilder()
                    .addResponseParameters(ResponseParameters.newBuilder().setSize(size))
                    .setPayload(payload(size))
                    .build());
        }

        /** There is an answer, and the next one is late: the server is about it when the call ends. */
        void begin() throws InterruptedException {
            requests.onNext(StreamingOutputCallRequest.newBuilder()
                    .addResponseParameters(ResponseParameters.newBuilder().setSize(1))
                    .addResponseParameters(ResponseParameters.newBuilder().setSize(1).setIntervalUs(60_000_000))
                    .build());
            require(next() instanceof StreamingOutputCallResponse, "no answer");
        }

        Object next() throws InterruptedException {
            return come.take();
        }

        void ends(Status.Code code) throws InterruptedException {
            Object last = next();
            require(last instanceof Status status && status.getCode() == code, last);
        }

        @Override
        public void onNext(StreamingOutputCallResponse response) {
            come.add(response);
        }

        @Override
        public void onError(Throwable cause) {
            come.add(Status.fromThrowable(cause));
        }

        @Override
        public void onCompleted() {
            come.add(Status.OK);
        }
    }
}
