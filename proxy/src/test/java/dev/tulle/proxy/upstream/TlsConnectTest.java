package dev.tulle.proxy.upstream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.tulle.model.UpstreamTls;
import dev.tulle.proxy.loop.EpollLoops;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.transport.ClientTransport;
import dev.tulle.proxy.transport.ClientTransports;
import dev.tulle.proxy.transport.FileWatch;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Connects that end before there is anything to connect with. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class TlsConnectTest {
    @Test
    void filesThatAreNotReadEndItInItsTime() throws Exception {
        CountDownLatch read = new CountDownLatch(1);
        BlockingQueue<String> ends = new LinkedBlockingQueue<>();
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, new EpollLoops().factory());
        FileWatch watch = new FileWatch(Duration.ofMillis(20));
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                ClientTransports transports = new ClientTransports(watch, Clock.systemUTC())) {
            EventLoop loop = group.next();
            Worker worker = new Worker(loop, UnpooledByteBufAllocator.DEFAULT);
            // Others' files, which do not come.
            var _ = watch.follow(
                    List.of(),
                    () -> {
                        read.await();
                        return "";
                    },
                    _ -> {});
            ClientTransport transport = transports.retain(new UpstreamTls("a.example", "", "", "", List.of()));
            loop.execute(() -> TlsConnect.begin(
                    worker,
                    Destination.to(new InetSocketAddress(server.getInetAddress(), server.getLocalPort())),
                    200,
                    null,
                    transport,
                    ClientTransport.Spoken.BYTES,
                    new ChannelInboundHandlerAdapter(),
                    (made, failure) -> ends.add(made + " " + (failure == null ? "" : failure.getMessage()))));
            assertEquals(
                    "null TLS_error: the certificates are not read within the connect timeout",
                    ends.poll(10, TimeUnit.SECONDS));
            CountDownLatch passed = new CountDownLatch(1);
            transport.whenRead(() -> loop.execute(passed::countDown));
            read.countDown();
            passed.await();
            assertNull(ends.poll(500, TimeUnit.MILLISECONDS), "told twice");
            loop.submit(worker::stop).sync();
        } finally {
            read.countDown();
            group.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        }
    }
}
