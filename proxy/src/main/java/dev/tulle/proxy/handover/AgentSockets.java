package dev.tulle.proxy.handover;

import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The listening sockets that the agent holds for its whole life: a proxy takes them from there, so that their ports are
 * nobody else's while one proxy ends and the next begins. Any thread; blocks for some milliseconds.
 */
public final class AgentSockets {
    private final EventLoopGroup group;
    private final Path path;

    /**
     * Of one agent.
     *
     * @param nodeSocket the agent's socket for the proxy; those for descriptors are beside it
     * @param edge true for the sockets of the mesh's edge, false for the node proxy's
     */
    public AgentSockets(EventLoopGroup group, Path nodeSocket, boolean edge) {
        this.group = group;
        this.path = nodeSocket.resolveSibling(edge ? "gateway.sock" : "listen.sock");
    }

    /** Whether an agent has ever offered sockets here. */
    public boolean exists() {
        return Files.exists(path);
    }

    /**
     * All that it holds now.
     *
     * @throws IOException when the agent does not answer
     */
    public Inheritance take() throws IOException {
        return new Inheritance(PassedSockets.take(group, path));
    }

    /**
     * Adds to an inheritance what the agent holds now.
     *
     * @throws IOException when the agent does not answer
     */
    public void takeInto(Inheritance inheritance) throws IOException {
        inheritance.add(PassedSockets.take(group, path));
    }
}
