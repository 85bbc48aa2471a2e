package dev.tulle.proxy.filter;

import dev.tulle.model.RequestView;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBuf;

/**
 * One filter in one request's way, with its state; made for this request by its {@link FilterFactory}. It is called in the
 * order of the parts: the request's head before anything is sent, then what the client sends and the server answers as it
 * passes. Of a request that is tried again it sees the body once, and only the answer that the client gets. Loop-confined.
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

    /** A piece of the request's body passes; it is not the filter's to read off or to keep. */
    default void requestData(ByteBuf piece) {}

    /** The head of the server's answer passes. */
    default void response(ResponseHead head) {}

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
}
