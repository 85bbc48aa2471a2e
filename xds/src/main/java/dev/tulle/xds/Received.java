package dev.tulle.xds;

import com.google.protobuf.MessageLite;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;

/**
 * A message as the server gets it: read, or not, and then why. gRPC itself must not see the failure: whatever is thrown
 * while it reads a message ends the call without the reason, and with a stack trace in the log.
 *
 * @param <T> the message
 */
sealed interface Received<T> {
    /** One within its limits. */
    record Message<T>(T message) implements Received<T> {}

    /**
     * One that is not read.
     *
     * @param why the status that the call ends with
     */
    record Unusable<T>(Status why) implements Received<T> {}

    /** What a message must be like before an object is made of it. */
    interface Limits {
        /**
         * Fails when the bytes are beyond a limit.
         *
         * @throws StreamLimits.OverLimitException naming the limit
         * @throws IOException when they are no message
         */
        void check(byte[] message) throws IOException;
    }

    /** The method as the server serves it: its requests are measured and read without a failure. */
    static <T extends MessageLite, P> MethodDescriptor<Received<T>, P> served(
            MethodDescriptor<T, P> method, int mostBytes, Limits limits) {
        return method.toBuilder(
                        new Reader<>(method.getRequestMarshaller(), mostBytes, limits), method.getResponseMarshaller())
                .build();
    }

    /** Reads messages. Stateless. */
    record Reader<T>(MethodDescriptor.Marshaller<T> plain, int mostBytes, Limits limits)
            implements MethodDescriptor.Marshaller<Received<T>> {
        @Override
        public InputStream stream(Received<T> message) {
            throw new UnsupportedOperationException("a server sends no requests");
        }

        @Override
        public Received<T> parse(InputStream stream) {
            try {
                byte[] bytes = stream.readNBytes(mostBytes + 1);
                if (bytes.length > mostBytes) {
                    throw new StreamLimits.OverLimitException(
                            "a request is too large: more than " + mostBytes + " bytes");
                }
                limits.check(bytes);
                return new Message<>(plain.parse(new ByteArrayInputStream(bytes)));
            } catch (StreamLimits.OverLimitException e) {
                return new Unusable<>(Status.RESOURCE_EXHAUSTED.withDescription(e.getMessage()));
            } catch (IOException e) {
                return new Unusable<>(
                        Status.INVALID_ARGUMENT.withDescription("a request cannot be read: " + e.getMessage()));
            } catch (RuntimeException e) {
                // gRPC's own marshaller wraps what protobuf says.
                Throwable cause = e.getCause() == null ? e : e.getCause();
                return new Unusable<>(
                        Status.INVALID_ARGUMENT.withDescription("a request cannot be read: " + cause.getMessage()));
            }
        }
    }
}
