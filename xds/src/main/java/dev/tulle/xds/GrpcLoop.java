package dev.tulle.xds;

import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;

/**
 * The one event loop of all gRPC traffic in this process, client and server: the traffic is small and nothing blocks on it.
 * What is served to other hosts has another one. They live as long as the process; their threads are daemons.
 */
final class GrpcLoop {
    private GrpcLoop() {}

    static EventLoopGroup shared() {
        return Holder.LOOP;
    }

    /** For the port for nodes: handshakes are made on it for everybody who connects, and keep nobody here waiting. */
    static EventLoopGroup nodes() {
        return Nodes.LOOP;
    }

    private static EventLoopGroup loop(String name) {
        return new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory(name, true), EpollIoHandler.newFactory());
    }

    private static final class Holder {
        static final EventLoopGroup LOOP = loop("tulle-grpc");
    }

    private static final class Nodes {
        static final EventLoopGroup LOOP = loop("tulle-grpc-nodes");
    }
}
