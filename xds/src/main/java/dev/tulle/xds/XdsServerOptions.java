package dev.tulle.xds;

/**
 * Where a server listens.
 *
 * @param host the address; the loopback, as the stream is neither encrypted nor authenticated
 * @param port the port, 0 for any free one
 */
public record XdsServerOptions(String host, int port) {
    /** Istio's plaintext port on the loopback. */
    public static final XdsServerOptions DEFAULT = new XdsServerOptions("127.0.0.1", XdsClientOptions.DEFAULT_PORT);
}
