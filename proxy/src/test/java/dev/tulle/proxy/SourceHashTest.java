package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tulle.model.Cluster;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointBalancer;
import dev.tulle.model.Maglev;
import dev.tulle.model.MeshState;
import dev.tulle.model.WeightedCluster;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Goal: a caller meets the endpoint that its address hashes to, for requests and for opaque connections, every time.
 * Method: clients bound to many loopback addresses, servers that say who they are, the model's table as the judge.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SourceHashTest {
    private static final int SERVERS = 4;
    private static final int CALLERS = 40;

    private static String ask(int port, InetAddress caller) throws IOException {
        try (Socket socket = new Socket()) {
            socket.bind(new InetSocketAddress(caller, 0));
            socket.setSoTimeout(10_000);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            socket.getOutputStream()
                    .write("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"
                            .getBytes(StandardCharsets.ISO_8859_1));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
            return answer.substring(answer.indexOf("\r\n\r\n") + 4);
        }
    }

    private static void everyCallerMeetsItsOwn(Meshes mesh, int[] ports) throws IOException {
        MeshState state = mesh.build();
        List<Endpoint> endpoints = Objects.requireNonNull(state.endpoints().get(Meshes.cluster("")))
                .endpoints();
        EndpointBalancer table = EndpointBalancer.of(Cluster.Balancing.SOURCE_HASH, endpoints);
        Set<String> met = new HashSet<>();
        try (ProxyFixture proxy = new ProxyFixture(state)) {
            for (int i = 0; i < CALLERS; i++) {
                InetAddress caller = InetAddress.ofLiteral("127.0.9." + (i + 1));
                int expected = table.pickFor(Maglev.callerOf(caller), _ -> 0, new Random(1));
                for (int again = 0; again < 2; again++) {
                    assertEquals(Integer.toString(ports[expected]), ask(proxy.port, caller), caller.toString());
                }
                met.add(Integer.toString(ports[expected]));
            }
        }
        assertEquals(SERVERS, met.size(), "the callers are spread over all servers");
    }

    @Test
    void requestsAndConnections() throws Exception {
        List<Origin> servers = new ArrayList<>();
        try {
            int[] ports = new int[SERVERS];
            for (int i = 0; i < SERVERS; i++) {
                Origin server = Origin.start((_, out, socket) -> {
                    String body = Integer.toString(socket.getLocalPort());
                    out.write(("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + body.length() + "\r\n\r\n"
                                    + body)
                            .getBytes(StandardCharsets.ISO_8859_1));
                    return false;
                });
                servers.add(server);
                ports[i] = server.port();
            }
            everyCallerMeetsItsOwn(
                    Meshes.mesh().balancing(Cluster.Balancing.SOURCE_HASH).subset("", ports), ports);
            everyCallerMeetsItsOwn(
                    Meshes.mesh()
                            .balancing(Cluster.Balancing.SOURCE_HASH)
                            .subset("", ports)
                            .tcp(new WeightedCluster(Meshes.cluster(""), 1)),
                    ports);
        } finally {
            for (Origin server : servers) {
                server.close();
            }
        }
    }
}
