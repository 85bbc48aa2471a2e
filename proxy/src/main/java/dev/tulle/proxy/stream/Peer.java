package dev.tulle.proxy.stream;

import dev.tulle.proxy.discovery.WorkloadDirectory;
import dev.tulle.proxy.http1.Sender;

/**
 * The client side of a connection.
 *
 * @param remote the client's address and port, for people
 * @param caller the client's address as a consistent hash takes it, see {@link dev.tulle.model.Maglev#callerOf}
 * @param dialled the address and port that the client dialled, for people
 * @param source the client's workload
 * @param edge true when the connection enters the mesh here, at a published or the explicit port: its requests are given
 *     an id and told their protocol, as the first proxy on the way does; captured ones travel as they are
 * @param outside the address of a client outside the mesh, at a published port: its requests say that they were forwarded
 *     for it, whatever they said themselves; empty for a client in the mesh
 * @param secure true when it speaks TLS with the mesh's edge
 */
public record Peer(
        String remote,
        int caller,
        String dialled,
        WorkloadDirectory.Entry source,
        boolean edge,
        String outside,
        boolean secure)
        implements Sender {}
