package dev.tulle.model;

/**
 * Which data path serves one port of a service.
 *
 * @param port the service port
 * @param path the fastest path that has the same outcome
 * @param reason why not a faster one, or why this one; a short sentence for people
 */
public record PortPath(int port, Path path, String reason) {
    /** The paths, fastest first. */
    public enum Path {
        /** The kernel chooses the endpoint at connect; no proxy. */
        KERNEL_L4,
        /** The node proxy handles connections to this port. */
        PROXY
    }
}
