package dev.tulle.model;

import java.time.Duration;
import java.util.Set;

/**
 * When and how often a request is tried again.
 *
 * @param attempts retries after the first try, 0 or more
 * @param perTryTimeout bound on one try; zero means only the route's timeout bounds it
 * @param on Envoy's conditions: {@code connect-failure}, {@code refused-stream}, {@code reset}, {@code 5xx},
 *     {@code gateway-error}, {@code retriable-4xx}, the name of a status of gRPC ({@code cancelled},
 *     {@code deadline-exceeded}, {@code internal}, {@code resource-exhausted}, {@code unavailable}), or a status code in
 *     digits
 */
public record RetryPolicy(int attempts, Duration perTryTimeout, Set<String> on) {
    /** The conditions that have a word. */
    public static final Set<String> CONDITIONS = Set.of(
            "5xx",
            "cancelled",
            "connect-failure",
            "deadline-exceeded",
            "gateway-error",
            "internal",
            "refused-stream",
            "reset",
            "resource-exhausted",
            "retriable-4xx",
            "unavailable");

    /** The default of routes that say nothing: two more tries when no connection could be made. */
    public static final RetryPolicy DEFAULT = new RetryPolicy(2, Duration.ZERO, Set.of("connect-failure"));

    /** Never tries again. */
    public static final RetryPolicy NONE = new RetryPolicy(0, Duration.ZERO, Set.of());

    public RetryPolicy {
        on = Set.copyOf(on);
    }
}
