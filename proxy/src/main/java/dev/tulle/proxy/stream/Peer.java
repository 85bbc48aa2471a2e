package dev.tulle.proxy.stream;

import dev.tulle.common.Ip;
import dev.tulle.model.Maglev;
import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.Sender;
import dev.tulle.proxy.http1.TrustedHops;
import dev.tulle.proxy.transport.ProxyHeader;

/**
 * The client side of a connection.
 *
 * @param remote the client's address and port, for people
 * @param caller the client's address as a consistent hash takes it, see {@link dev.tulle.model.Maglev#callerOf}
 * @param dialled the address and port that the client dialled, for people
 * @param ends both, as endpoints are told of them that ask for it
 * @param source the client's workload
 * @param edge true when the connection enters the mesh here, at a published or the explicit port: its requests are given
 *     an id and told their protocol, as the first proxy on the way does; captured ones travel as they are
 * @param outside the address of a client outside the mesh, at a published port: its requests say that they were forwarded
 *     for it, whatever they said themselves; empty for a client in the mesh
 * @param secure true when it speaks TLS with the mesh's edge
 * @param trustedHops how many proxies before the edge, this client the last of them, are believed whom they speak for
 */
public record Peer(
        String remote,
        int caller,
        String dialled,
        ProxyHeader.Ends ends,
        WorkloadDirectory.Entry source,
        boolean edge,
        String outside,
        boolean secure,
        int trustedHops)
        implements Sender {
    /** The caller of a request as a consistent hash takes it: the client, or for whom it speaks. */
    public int caller(RequestHead head) {
        return trustedHops == 0
                ? caller
                : TrustedHops.caller(head, trustedHops).map(Maglev::callerOf).orElse(caller);
    }

    /** The caller of a request, for people. Of whom the client speaks for no port is known. */
    public String remote(RequestHead head) {
        return trustedHops == 0
                ? remote
                : TrustedHops.caller(head, trustedHops)
                        .map(address -> Ip.text(address, 0))
                        .orElse(remote);
    }
}
