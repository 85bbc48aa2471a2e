package dev.tulle.agent.datapath;

/**
 * How requests to one endpoint ended: the series that outlier detection goes by, whoever forwarded the requests, and the
 * sums of what the kernel forwarded.
 *
 * @param address the endpoint's
 * @param port the endpoint's
 * @param consecutiveErrors 5xx and tries without a response, since the last other response
 * @param consecutiveGatewayErrors 502, 503, 504 and tries without a response
 * @param consecutiveLocalFailures tries without a response: connecting failed, reset, timeout
 * @param kernelSuccesses responses of other classes than 5xx that the kernel has forwarded
 * @param kernelErrors 5xx that the kernel has forwarded
 */
public record HttpOutcome(
        String address,
        int port,
        long consecutiveErrors,
        long consecutiveGatewayErrors,
        long consecutiveLocalFailures,
        long kernelSuccesses,
        long kernelErrors) {}
