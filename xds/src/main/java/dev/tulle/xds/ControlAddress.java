package dev.tulle.xds;

import java.nio.file.Path;

/** Where the control plane serves. */
public sealed interface ControlAddress {
    /**
     * On this host.
     *
     * @param socket {@code xds.sock} in the run directory
     */
    record Local(Path socket) implements ControlAddress {
        @Override
        public String toString() {
            return socket.toString();
        }
    }

    /**
     * On another host, over TLS.
     *
     * @param host a name or an address
     * @param port 15012 by default
     * @param tls who this node is, and whom it trusts
     */
    record Remote(String host, int port, NodeTls tls) implements ControlAddress {
        @Override
        public String toString() {
            return host + ":" + port;
        }
    }

    /** On this host. */
    static ControlAddress of(Path socket) {
        return new Local(socket);
    }
}
