package dev.tulle.proxy.filter;

import dev.tulle.model.RequestView;
import dev.tulle.proxy.body.BodyChange;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One filter in one request's way, with its state; made for this request by its {@link FilterFactory}. It is called in the
 * order of the parts: the request's head before anything is sent, then what the client sends and the server answers as it
 * passes. Of a request that is tried again it sees the body once, and only the answer that the client gets. Of bodies that
 * are changed it sees what the server reads and writes. Loop-confined.
 */
public interface HttpFilter {
    /** What becomes of a request after its head was seen. */
    enum Step {
        /** It goes on. */
        CONTINUE,
        /** It stays until the time that {@link FilterStream#resumeAfter} was told. */
        WAIT,
        /** It was answered by {@link FilterStream#reply}; nothing of it is sent. */
        REPLIED
    }

    /** The head is there and its route is known. */
    default Step request(RequestView head, FilterStream stream) {
        return Step.CONTINUE;
    }

    /** The wait is over. */
    default Step resumed(FilterStream stream) {
        return Step.CONTINUE;
    }

    /**
     * The head as it goes on to the server: policies are asked about this one, and what mirrors get is a copy of it.
     *
     * @return the same when nothing of it is changed; null when it cannot be sent, as it would be too large
     */
    default @Nullable RequestHead sent(RequestHead head) {
        return head;
    }

    /**
     * What changes the request's body, in this order; nothing where it stays as it is. The head must then be one of
     * {@link #sent} of unknown length.
     */
    default List<BodyChange> requestBody(ByteBufAllocator allocator) {
        return List.of();
    }

    /** A piece of the request's body passes; it is not the filter's to read off or to keep. */
    default void requestData(ByteBuf piece) {}

    /** The head of the server's answer passes. */
    default void response(ResponseHead head) {}

    /**
     * What changes the body of the server's answer, in this order, of which the client is then told no length; nothing where
     * it stays as it is. Not asked where the answer is the beginning of a tunnel. What is given for a piece must not be much
     * longer than that: it goes on at once, whatever the client has room for.
     *
     * @param hasBody false when there is none: then nothing is changed of it, but of the head perhaps
     */
    default List<BodyChange> responseBody(ResponseHead head, boolean hasBody, ByteBufAllocator allocator) {
        return List.of();
    }

    /** A piece of the answer's body passes; it is not the filter's to read off or to keep. */
    default void responseData(ByteBuf piece) {}

    /**
     * The fields after the answer's body pass.
     *
     * @param lines each with its end
     */
    default void responseTrailers(byte[] lines) {}

    /** What is changed of the fields of the answer, also of one that the proxy gives itself. */
    default HeaderProgram responseChanges() {
        return HeaderProgram.NONE;
    }

    /**
     * How an answer of the proxy itself is written for this client.
     *
     * @param grpc the status that a call of gRPC would get
     */
    default LocalAnswer own(LocalAnswer answer, int grpc) {
        return answer;
    }
}
