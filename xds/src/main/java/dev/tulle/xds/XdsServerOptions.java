package dev.tulle.xds;

import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import java.nio.file.Path;

/**
 * Where a server listens and whom it serves. Nodes and their workloads may be registered by root and the server's own
 * user only; resources may be read by everybody whom the socket admits.
 *
 * @param socket the Unix socket; its directory is made, what an earlier process left is replaced
 * @param access who may use it
 * @param refusals told of everybody and everything that is refused
 */
public record XdsServerOptions(Path socket, SocketAccess access, LocalRefusals refusals) {
    /** For root and the server's own user. */
    public XdsServerOptions(Path socket) {
        this(socket, SocketAccess.owner(), new LocalRefusals());
    }
}
