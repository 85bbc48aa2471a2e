package dev.tulle.xds;

import dev.tulle.common.pki.TlsIdentity;
import java.security.cert.X509Certificate;
import java.util.List;

/** What one end of a connection between nodes and control plane proves, and whom it believes; asked for each connection. */
public interface NodeTls {
    /** The certificate with its chain, and its key. */
    TlsIdentity identity();

    /** The roots of the mesh. */
    List<X509Certificate> roots();
}
