package dev.tulle.config;

import java.util.List;

/**
 * Istio's Gateway: which ports the mesh's edge serves, and for which hosts.
 *
 * @param topology what stands before it
 */
public record IstioGateway(Manifest manifest, List<Server> servers, GatewayTopology topology)
        implements ConfigResource {
    public IstioGateway {
        servers = List.copyOf(servers);
    }

    /** What VirtualServices call it. */
    public String gatewayName() {
        return namespace() + "/" + name();
    }

    /** What is spoken at a port. */
    public enum Protocol {
        /** Requests of HTTP/1.1 or HTTP/2 in plain text. */
        HTTP,
        /** The same in TLS. */
        HTTPS,
        /** Bytes. */
        TCP,
        /** Bytes in TLS, which ends here or at the destination. */
        TLS;

        /** True where the name that a caller asks for decides. */
        boolean isByName() {
            return this == HTTPS || this == TLS;
        }
    }

    /**
     * One port and its hosts.
     *
     * @param http2 true where the protocol is one of HTTP/2 alone
     * @param redirects true to send callers to the same address of HTTPS
     * @param tls what becomes of callers' TLS; only with protocols {@link Protocol#isByName by name}
     * @param position where the port's number is written
     */
    public record Server(
            int port,
            Protocol protocol,
            boolean http2,
            List<Host> hosts,
            boolean redirects,
            ServerTls tls,
            Position position) {
        public Server {
            hosts = List.copyOf(hosts);
        }
    }

    /**
     * Hosts that may be asked for at a port.
     *
     * @param namespace whose routes count; {@code *} for everybody's
     * @param name a host name, {@code *} or {@code *.suffix}, in lower case
     */
    public record Host(String namespace, String name) {
        /** True when routes of a namespace may be about it. */
        boolean isFor(String other) {
            return namespace.equals("*") || namespace.equals(other);
        }
    }
}
