package dev.tulle.proxy.accept;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.proxy.FakeXds;
import dev.tulle.proxy.discovery.ServiceDirectory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** How the ports of the edge are opened when opening fails, and at the end. */
// Waiting for a future gives it back.
@SuppressWarnings("FutureReturnValueIgnored")
class EdgePortsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final FakeXds xds = new FakeXds();
    private final ServiceDirectory services = new ServiceDirectory(xds, Duration.ofMinutes(1));
    private final AtomicInteger tried = new AtomicInteger();
    private final AtomicInteger told = new AtomicInteger();

    private EdgePorts ports(List<String> addresses, EdgePorts.Binder binder) {
        Listener.Target.Chain chain = new Listener.Target.Chain(
                80, new Listener.Target.Http("http.80", false, List.of()), ResourceRef.DEFAULT);
        Listener edge = new Listener(Listener.EDGE, "0.0.0.0", 80, "", new Listener.Target.Edge(List.of(chain)));
        xds.set(new MeshState(Map.of(), Map.of(), Map.of(Listener.EDGE, edge), Map.of(), Map.of(), Map.of(), Map.of()));
        EdgePorts ports = new EdgePorts(xds, services, addresses, binder, told::incrementAndGet);
        ports.start();
        return ports;
    }

    private void end() {
        services.close();
        xds.close();
    }

    @Test
    void whatNobodyThoughtOfIsTriedAgain() throws Exception {
        try (EdgePorts ports = ports(List.of("0.0.0.0"), (_, _, _) -> {
            if (tried.incrementAndGet() < 3) {
                throw new IllegalStateException("unthought of");
            }
            return new EmbeddedChannel();
        })) {
            assertTrue(ports.awaitApplied(PATIENCE), "the thread has ended");
            assertEquals("", ports.trouble());
            assertEquals(3, tried.get());
        } finally {
            end();
        }
    }

    @Test
    void aPortThatSomebodyElseHasHoldsNothingElseUpAndIsNotTriedAllTheTime() throws Exception {
        try (EdgePorts ports = ports(List.of("0.0.0.0"), (_, _, _) -> {
            tried.incrementAndGet();
            throw new IOException("somebody else has it");
        })) {
            Thread.sleep(3_500);
            assertFalse(ports.awaitApplied(Duration.ZERO));
            assertEquals("0.0.0.0 port 80: somebody else has it", ports.trouble());
            assertTrue(tried.get() > 5 && tried.get() <= 16, tried + " times");
            assertTrue(Math.abs(told.get() - tried.get()) <= 1, told + " of " + tried);
        } finally {
            end();
        }
    }

    @Test
    void afterItsEndNothingIsOpened() throws Exception {
        CountDownLatch opening = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        EmbeddedChannel channel = new EmbeddedChannel();
        EdgePorts ports = ports(List.of("0.0.0.0", "::"), (_, _, _) -> {
            tried.incrementAndGet();
            opening.countDown();
            while (ended.getCount() > 0) {
                Thread.onSpinWait();
            }
            return channel;
        });
        try {
            opening.await();
            // It does not wait for ever for what takes long.
            ports.close();
            ended.countDown();
            Thread.sleep(300);
            assertEquals(1, tried.get());
        } finally {
            end();
        }
    }

    @Test
    void listenersThatAreClosedOpenNothing() throws Exception {
        var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        try {
            Listeners listeners = new Listeners(group, _ -> {
                throw new AssertionError("nobody connects");
            });
            listeners.close();
            assertThrows(
                    IOException.class,
                    () -> listeners.toward("127.0.0.1", 0, new InetSocketAddress(InetAddress.getLoopbackAddress(), 1)));
            assertEquals(List.of(), listeners.sockets());
        } finally {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
            end();
        }
    }
}
