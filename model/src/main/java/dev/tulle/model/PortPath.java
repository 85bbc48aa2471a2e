package dev.tulle.model;

import java.util.Objects;

/**
 * Which data path serves one port of a service.
 *
 * @param port the service port
 * @param path the fastest path that has the same outcome
 * @param reason why not a faster one, or why this one; a short sentence for people
 * @param choice how the kernel chooses endpoints; only with {@link Path#KERNEL_L4}, or where {@code policed}
 * @param policed only with {@link Path#PROXY}: nothing but authorization policies keeps the port off the kernel's path, so
 *     a host whose kernel enforces those of every endpoint may serve it as {@link Path#KERNEL_L4}
 */
public record PortPath(int port, Path path, String reason, EndpointChoice choice, boolean policed) {
    public PortPath {
        Objects.requireNonNull(choice, "choice");
        if (policed && path != Path.PROXY) {
            throw new IllegalArgumentException("policed with path " + path + ", expected PROXY");
        }
    }

    /** Not policed. */
    public PortPath(int port, Path path, String reason, EndpointChoice choice) {
        this(port, path, reason, choice, false);
    }

    /** With endpoints chosen at random. */
    public PortPath(int port, Path path, String reason) {
        this(port, path, reason, EndpointChoice.RANDOM);
    }

    /** The paths, fastest first. */
    public enum Path {
        /** The kernel chooses the endpoint at connect; no proxy. */
        KERNEL_L4,
        /** The node proxy handles connections to this port. */
        PROXY
    }
}
