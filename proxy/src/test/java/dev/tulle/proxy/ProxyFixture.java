package dev.tulle.proxy;

import dev.tulle.model.MeshState;
import dev.tulle.proxy.lease.HttpOptions;
import dev.tulle.proxy.lease.SocketHttpOptions;
import dev.tulle.proxy.share.Budget;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A proxy on ports of its own, with a control plane in memory. */
final class ProxyFixture implements AutoCloseable {
    static {
        Leaks.watch();
    }

    final FakeXds xds = new FakeXds();
    final NodeProxy proxy;
    final int port;

    ProxyFixture(MeshState state) throws IOException {
        this(state, ProxyOptions.OutboundPolicy.REGISTRY_ONLY);
    }

    ProxyFixture(MeshState state, ProxyOptions.OutboundPolicy policy) throws IOException {
        this(state, policy, SocketHttpOptions::new, null, "");
    }

    /** With a model in place of the kernel's HTTP programs. */
    ProxyFixture(MeshState state, HttpOptions kernel) throws IOException {
        this(state, ProxyOptions.OutboundPolicy.REGISTRY_ONLY, () -> kernel, null, "");
    }

    /**
     * A proxy that asks who its clients are.
     *
     * @param nodeSocket where {@code whois} is answered
     * @param accessLog a file
     */
    ProxyFixture(MeshState state, Path nodeSocket, String accessLog) throws IOException {
        this(state, ProxyOptions.OutboundPolicy.REGISTRY_ONLY, SocketHttpOptions::new, nodeSocket, accessLog);
    }

    /** As above, with bounds of its own. */
    ProxyFixture(MeshState state, Path nodeSocket, String accessLog, Budget budget) throws IOException {
        this(state, ProxyOptions.OutboundPolicy.REGISTRY_ONLY, SocketHttpOptions::new, nodeSocket, accessLog, budget);
    }

    private ProxyFixture(
            MeshState state,
            ProxyOptions.OutboundPolicy policy,
            Supplier<HttpOptions> kernel,
            @Nullable Path nodeSocket,
            String accessLog)
            throws IOException {
        this(state, policy, kernel, nodeSocket, accessLog, Budget.ofProcess());
    }

    private ProxyFixture(
            MeshState state,
            ProxyOptions.OutboundPolicy policy,
            Supplier<HttpOptions> kernel,
            @Nullable Path nodeSocket,
            String accessLog,
            Budget budget)
            throws IOException {
        xds.set(state);
        proxy = NodeProxy.start(
                ProxyOptions.builder()
                        .workers(2)
                        .outbound(List.of(), -1)
                        .explicit("127.0.0.1", -1)
                        .probes("127.0.0.1", 0, 0)
                        .outboundPolicy(policy)
                        .onDemandTimeout(Duration.ofMillis(800))
                        .drain(Duration.ofSeconds(5))
                        .nodeSocket(nodeSocket)
                        .accessLog(accessLog, ProxyOptions.AccessLogMode.ALL)
                        .build(),
                xds,
                kernel,
                budget);
        port = proxy.listenToward("127.0.0.1", 0, new InetSocketAddress(Meshes.VIP, Meshes.PORT));
    }

    /** The exposition's lines that contain all the words. */
    List<String> metrics(String... words) {
        return proxy.metrics()
                .expose()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .filter(line -> List.of(words).stream().allMatch(line::contains))
                .toList();
    }

    /** The sum of the counters of these lines. */
    double sum(String... words) {
        return metrics(words).stream()
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    @Override
    public void close() {
        proxy.close();
        Leaks.check();
    }
}
