package dev.tulle.xds;

import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;

/**
 * The one event loop of all gRPC traffic in this process, client and server: the traffic is small and nothing blocks on it.
 * It lives as long as the process; its thread is a daemon.
 */
final class GrpcLoop {
    private GrpcLoop() {}

    static EventLoopGroup shared() {
        return Holder.LOOP;
    }

    private static final class Holder {
        static final EventLoopGroup LOOP = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("tulle-grpc", true), EpollIoHandler.newFactory());
    }
}
