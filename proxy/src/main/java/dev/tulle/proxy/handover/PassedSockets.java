package dev.tulle.proxy.handover;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.DomainSocketReadMode;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Listening sockets on their way from one process to the next, as descriptors over a Unix-domain socket. Which is which
 * is told by the address each is bound to. Any thread.
 */
// A failed write or close reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class PassedSockets {
    private static final int SECONDS = 5;

    private PassedSockets() {}

    /**
     * Gives the sockets to whoever connects, and closes the connection after the last.
     *
     * @param sockets what is listening at the moment of the question
     * @throws IOException when the path cannot be bound
     */
    static Channel offer(EventLoopGroup group, Path path, Supplier<List<Channel>> sockets) throws IOException {
        ChannelFuture bound = new ServerBootstrap()
                .group(group)
                .channel(EpollServerDomainSocketChannel.class)
                .childHandler(new ChannelInboundHandlerAdapter() {
                    @Override
                    public boolean isSharable() {
                        return true;
                    }

                    @Override
                    public void channelActive(ChannelHandlerContext context) {
                        for (Channel socket : sockets.get()) {
                            if (socket instanceof EpollServerSocketChannel listening && listening.isOpen()) {
                                context.write(new FileDescriptor(listening.fd().intValue()));
                            }
                        }
                        context.flush();
                        context.close();
                    }
                })
                .bind(new DomainSocketAddress(path.toString()))
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(path + ": cannot be bound: " + bound.cause(), bound.cause());
        }
        // The next process is of the same user; nobody else has anything to take here.
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
        return bound.channel();
    }

    /**
     * Takes the sockets that another process offers.
     *
     * @return descriptors by the address that each listens on; the caller owns them
     * @throws IOException when the other process does not answer or does not finish
     */
    static Map<InetSocketAddress, FileDescriptor> take(EventLoopGroup group, Path path) throws IOException {
        List<FileDescriptor> received = new CopyOnWriteArrayList<>();
        ChannelFuture connected = new Bootstrap()
                .group(group)
                .channel(EpollDomainSocketChannel.class)
                .handler(new ChannelInitializer<EpollDomainSocketChannel>() {
                    @Override
                    protected void initChannel(EpollDomainSocketChannel channel) {
                        channel.config().setReadMode(DomainSocketReadMode.FILE_DESCRIPTORS);
                        channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                            @Override
                            public void channelRead(ChannelHandlerContext context, Object message) {
                                received.add((FileDescriptor) message);
                            }
                        });
                    }
                })
                .connect(new DomainSocketAddress(path.toString()))
                .awaitUninterruptibly();
        boolean ended = connected.isSuccess()
                && connected.channel().closeFuture().awaitUninterruptibly(SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            connected.channel().close();
            close(received);
            throw new IOException(path + ": no listening sockets came: "
                    + (connected.isSuccess() ? "not within " + SECONDS + " s" : connected.cause()));
        }
        Map<InetSocketAddress, FileDescriptor> byAddress = new HashMap<>();
        for (FileDescriptor descriptor : received) {
            // Never registered and never closed: only asked where the socket is bound.
            InetSocketAddress address = new EpollServerSocketChannel(descriptor.intValue()).localAddress();
            FileDescriptor twin = address == null ? descriptor : byAddress.put(address, descriptor);
            if (twin != null) {
                close(List.of(twin));
            }
        }
        return byAddress;
    }

    static void close(Collection<FileDescriptor> descriptors) {
        for (FileDescriptor descriptor : descriptors) {
            try {
                descriptor.close();
            } catch (IOException e) {
                System.getLogger(PassedSockets.class.getName()).log(System.Logger.Level.DEBUG, "close", e);
            }
        }
    }
}
