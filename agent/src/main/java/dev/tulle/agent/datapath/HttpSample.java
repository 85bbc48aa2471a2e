package dev.tulle.agent.datapath;

/**
 * A sampled request that the kernel has forwarded, and its response. What the agent does not know (any more) is empty.
 *
 * @param endNanos when the response's last byte was forwarded, as {@link System#nanoTime}
 * @param nanos from the request to there
 * @param headNanos from the request to the response's head
 * @param requestBytes of the body
 * @param responseBytes of the body
 * @param code the response's status
 * @param head the request's head as received, every line with its end
 * @param client its address and port
 * @param dialled the service's address and port
 * @param endpoint address and port
 * @param source the client's workload, {@code namespace/name}
 * @param service the service's host name
 * @param route the route's name
 * @param cluster the cluster's name
 */
public record HttpSample(
        long endNanos,
        long nanos,
        long headNanos,
        long requestBytes,
        long responseBytes,
        int code,
        String head,
        String client,
        String dialled,
        String endpoint,
        String source,
        String service,
        String route,
        String cluster) {}
