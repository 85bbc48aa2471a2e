package dev.tulle.agent.enrol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The health of servers that are not ours (grpc-java's own). */
class GrpcHealthTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static Server server(Optional<BindableService> service) throws IOException {
        NettyServerBuilder builder =
                NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        service.ifPresent(builder::addService);
        return builder.build().start();
    }

    private static String check(int port, String service, Duration timeout) {
        return GrpcHealth.check(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), service, timeout);
    }

    @Test
    void saysWhatTheServerSays() throws Exception {
        HealthStatusManager health = new HealthStatusManager();
        Server server = server(Optional.of(health.getHealthService()));
        try {
            assertEquals("", check(server.getPort(), "", PATIENCE));
            assertEquals("the server knows no service 'shop.Stock'", check(server.getPort(), "shop.Stock", PATIENCE));
            health.setStatus("shop.Stock", ServingStatus.NOT_SERVING);
            assertEquals("health NOT_SERVING, expected SERVING", check(server.getPort(), "shop.Stock", PATIENCE));
            health.setStatus("shop.Stock", ServingStatus.SERVING);
            assertEquals("", check(server.getPort(), "shop.Stock", PATIENCE));
            health.enterTerminalState();
            assertEquals("health NOT_SERVING, expected SERVING", check(server.getPort(), "", PATIENCE));
        } finally {
            server.shutdownNow().awaitTermination();
        }
    }

    @Test
    void namesWhatIsMissing() throws Exception {
        Server server = server(Optional.empty());
        int port = server.getPort();
        try {
            assertEquals("the server has no grpc.health.v1.Health", check(port, "", PATIENCE));
        } finally {
            server.shutdownNow().awaitTermination();
        }
        String refused = check(port, "", PATIENCE);
        assertTrue(refused.contains("refused"), refused);
        try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            assertEquals("no answer within 200 ms", check(silent.getLocalPort(), "", Duration.ofMillis(200)));
        }
    }
}
