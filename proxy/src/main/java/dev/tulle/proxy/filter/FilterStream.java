package dev.tulle.proxy.filter;

import java.util.random.RandomGenerator;

/** The request that a filter is in the way of. Loop-confined. */
public interface FilterStream {
    /** Chance. */
    RandomGenerator random();

    /** Asks to be resumed after so many nanoseconds; the filter then answers {@link HttpFilter.Step#WAIT}. */
    void resumeAfter(long nanos);

    /** What is to be reported of a call of gRPC when it is over. */
    void reports(GrpcCall call);

    /** Adds one of Envoy's response flags to what is reported of the request. */
    void flag(String flag);

    /**
     * Answers in place of the server with a bare head, of which only the filters change something; the filter then answers
     * {@link HttpFilter.Step#REPLIED}.
     *
     * @param details the reason in one word, as Envoy names it
     */
    void answer(int status, String details);

    /**
     * Answers in place of the server as the proxy does where it fails, with what the route changes of its answers; the filter
     * then answers {@link HttpFilter.Step#REPLIED}.
     *
     * @param flag one of Envoy's response flags; empty for none
     * @param details the reason in one word, as Envoy names it
     * @param body text; empty for none
     */
    void reply(int status, String flag, String details, String body);
}
