package dev.tulle.proxy.filter;

import dev.tulle.model.RequestView;
import dev.tulle.proxy.filter.HttpFilter.Step;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBuf;
import java.util.List;

/**
 * The filters of one request: asks one after the other until one waits or answers, and shows what passes to those that were
 * asked. A route without filters costs a comparison. Reused for all requests of a connection. Loop-confined.
 */
public final class FilterChain {
    private static final HttpFilter[] NONE = {};

    private HttpFilter[] filters = NONE;

    /** How many of them were asked. */
    private int asked;

    /** A request begins. */
    public void reset() {
        filters = NONE;
        asked = 0;
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

    /** A piece of the request's body passes. */
    public void requestData(ByteBuf piece) {
        for (int i = 0; i < asked; i++) {
            filters[i].requestData(piece);
        }
    }

    /** The head of the answer passes. */
    public void response(ResponseHead head) {
        for (int i = asked - 1; i >= 0; i--) {
            filters[i].response(head);
        }
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
}
