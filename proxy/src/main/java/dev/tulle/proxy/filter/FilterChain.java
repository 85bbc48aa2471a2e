package dev.tulle.proxy.filter;

import dev.tulle.model.RequestView;
import dev.tulle.proxy.body.BodyChange;
import dev.tulle.proxy.body.BodyPipe;
import dev.tulle.proxy.filter.HttpFilter.Step;
import dev.tulle.proxy.http1.ChangedHeads;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The filters of one request: asks one after the other until one waits or answers, shows what passes to those that were
 * asked, and has bodies go through what they change. A route without filters costs a comparison. Reused for all requests of
 * a connection. Loop-confined.
 */
public final class FilterChain {
    private static final HttpFilter[] NONE = {};

    private HttpFilter[] filters = NONE;

    /** How many of them were asked. */
    private int asked;

    private @Nullable BodyPipe requestBody;
    private @Nullable BodyPipe responseBody;

    /** A request begins. */
    public void reset() {
        over();
        filters = NONE;
        asked = 0;
    }

    /** The request is over: nothing passes any more. */
    public void over() {
        BodyPipe request = requestBody;
        if (request != null) {
            requestBody = null;
            request.close();
        }
        BodyPipe response = responseBody;
        if (response != null) {
            responseBody = null;
            response.close();
        }
    }

    /** The route is known: asks its filters. */
    public Step request(List<FilterFactory> factories, RequestView head, FilterStream stream) {
        if (factories.isEmpty()) {
            return Step.CONTINUE;
        }
        filters = new HttpFilter[factories.size()];
        for (int i = 0; i < filters.length; i++) {
            filters[i] = factories.get(i).make();
        }
        return ask(head, stream);
    }

    private Step ask(RequestView head, FilterStream stream) {
        while (asked < filters.length) {
            Step step = filters[asked++].request(head, stream);
            if (step != Step.CONTINUE) {
                return step;
            }
        }
        return Step.CONTINUE;
    }

    /** The wait of the filter that was asked last is over. */
    public Step resumed(RequestView head, FilterStream stream) {
        Step step = filters[asked - 1].resumed(stream);
        return step == Step.CONTINUE ? ask(head, stream) : step;
    }

    /**
     * All have let it go on: the head as it is sent, and its body's way is made ready.
     *
     * @return null when the head is too large as it would be sent
     */
    public @Nullable RequestHead sent(RequestHead head, ByteBufAllocator allocator) {
        RequestHead sent = head;
        if (asked == 0) {
            return head;
        }
        List<BodyChange> changes = new ArrayList<>(0);
        for (int i = 0; i < asked && sent != null; i++) {
            sent = filters[i].sent(sent);
            if (head.hasBody()) {
                changes.addAll(filters[i].requestBody(allocator));
            }
        }
        requestBody = changes.isEmpty() ? null : new BodyPipe(changes);
        return sent;
    }

    /** What the request's body goes through; null for nothing. */
    public @Nullable BodyPipe requestBody() {
        return requestBody;
    }

    /** A piece of the request's body passes. */
    public void requestData(ByteBuf piece) {
        for (int i = 0; i < asked; i++) {
            filters[i].requestData(piece);
        }
    }

    /**
     * The head of the answer passes, and its body's way is made ready.
     *
     * @param tunnel true when what follows is no HTTP any more
     * @param toHead true when it answers a HEAD
     * @return the head as it goes on
     */
    public ResponseHead response(ResponseHead head, boolean tunnel, boolean toHead, ByteBufAllocator allocator) {
        if (asked == 0) {
            return head;
        }
        boolean hasBody = !head.isBodyless(toHead) && (head.contentLength() != 0 || head.isChunked());
        List<BodyChange> changes = new ArrayList<>(0);
        for (int i = asked - 1; i >= 0; i--) {
            filters[i].response(head);
            if (!tunnel) {
                changes.addAll(filters[i].responseBody(head, hasBody, allocator));
            }
        }
        if (changes.isEmpty()) {
            return head;
        }
        responseBody = new BodyPipe(changes);
        return ChangedHeads.response(head);
    }

    /** What the answer's body goes through; null for nothing. */
    public @Nullable BodyPipe responseBody() {
        return responseBody;
    }

    /** A piece of the answer's body passes. */
    public void responseData(ByteBuf piece) {
        for (int i = asked - 1; i >= 0; i--) {
            filters[i].responseData(piece);
        }
    }

    /** The fields after the answer's body pass. */
    public void responseTrailers(byte[] lines) {
        for (int i = asked - 1; i >= 0; i--) {
            filters[i].responseTrailers(lines);
        }
    }

    /** What is changed of the answer's fields: by the route first, then by the filters. */
    public HeaderProgram responseChanges(HeaderProgram route) {
        HeaderProgram all = route;
        for (int i = asked - 1; i >= 0; i--) {
            all = all.then(filters[i].responseChanges());
        }
        return all;
    }

    /** An answer of the proxy itself as it is written for the client. */
    public LocalAnswer own(LocalAnswer answer, int grpc) {
        LocalAnswer all = answer;
        for (int i = asked - 1; i >= 0; i--) {
            all = filters[i].own(all, grpc);
        }
        return all;
    }
}
