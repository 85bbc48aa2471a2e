package dev.tulle.agent.join;

import dev.tulle.common.pki.TlsIdentity;
import dev.tulle.xds.NodeTls;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * That a node has joined a mesh whose control plane is on another host.
 *
 * @param node the node's name there
 * @param host the control plane's name or address
 * @param port where it serves nodes
 * @param identity the node's certificate, and its key
 * @param roots of the mesh
 */
public record Membership(String node, String host, int port, TlsIdentity identity, List<X509Certificate> roots)
        implements NodeTls {
    public Membership {
        roots = List.copyOf(roots);
    }

    /** The same with a certificate that was renewed. */
    Membership with(TlsIdentity renewed, List<X509Certificate> newRoots) {
        return new Membership(node, host, port, renewed, newRoots);
    }

    /** Without the key. */
    @Override
    public String toString() {
        return "node " + node + " of the mesh at " + host + ":" + port;
    }
}
