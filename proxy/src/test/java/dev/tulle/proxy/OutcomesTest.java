package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tulle.common.LocalApiServer;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the proxy counts, and tells the kernel, of how its tries at an endpoint ended. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class OutcomesTest {
    private static JsonObject outlier(ProxyFixture mesh) {
        JsonArray clusters = mesh.proxy.adminApi().answer("clusters").getAsJsonArray();
        return clusters.get(0).getAsJsonObject().getAsJsonObject("outlier");
    }

    private static void counted(JsonObject outlier, long... wanted) {
        String[] names = {
            "consecutive5xx",
            "consecutiveGatewayErrors",
            "consecutiveLocalFailures",
            "successes",
            "errors5xx",
            "localFailures"
        };
        for (int i = 0; i < names.length; i++) {
            assertEquals(wanted[i], outlier.get(names[i]).getAsLong(), names[i] + " of " + outlier);
        }
    }

    @Test
    void everyEndOfATryIsCountedOnceAndTold() throws Exception {
        KernelModel kernel = new KernelModel();
        try (Origin origin = Origin.start((request, out, socket) -> {
                    String path = request.line().split(" ")[1];
                    switch (path) {
                        case "/reset" -> {
                            return false;
                        }
                        case "/slow" -> Thread.sleep(2_000);
                        case "/short" -> {
                            out.write(Lent.bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"));
                            return false;
                        }
                        case "/bad" -> {
                            out.write(Lent.bytes("BROKEN\r\n\r\n"));
                            return false;
                        }
                        default ->
                            out.write(
                                    Lent.bytes("HTTP/1.1 " + path.substring(1) + " Word\r\nContent-Length: 0\r\n\r\n"));
                    }
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build(), kernel)) {
            for (String path : List.of("200", "500", "503", "404", "503", "reset", "bad", "short")) {
                try (RawClient client = new RawClient(mesh.port)) {
                    client.send("POST /" + path + " HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n");
                    if (path.equals("short")) {
                        client.socket.getInputStream().readAllBytes();
                    } else {
                        client.read(false);
                    }
                }
            }
            // The head of the short response came first.
            counted(outlier(mesh), 1, 1, 1, 3, 3, 3);
            assertEquals(List.of(200, 500, 503, 404, 503, 0, 0, 200, 0), List.copyOf(kernel.outcomes));
            assertTrue(!outlier(mesh).get("withKernel").getAsBoolean());
            origin.close();
            try (RawClient client = new RawClient(mesh.port)) {
                client.send("GET /200 HTTP/1.1\r\nHost: web\r\n\r\n");
                assertEquals(503, client.read(false).code());
            }
            // Two more tries by the default retry policy.
            counted(outlier(mesh), 4, 4, 4, 3, 3, 6);
        }
    }

    @Test
    void nobodyIsAskedAgainForAWhileWhereNobodyCounts() throws Exception {
        KernelModel kernel = new KernelModel();
        kernel.there = false;
        try (Origin origin = Origin.start((request, out, socket) -> {
                    out.write(Lent.bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
                    return true;
                });
                ProxyFixture mesh =
                        new ProxyFixture(Meshes.mesh().subset("", origin.port()).build(), kernel);
                RawClient client = new RawClient(mesh.port)) {
            for (int i = 0; i < 5; i++) {
                client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
                client.read(false);
            }
            counted(outlier(mesh), 0, 0, 0, 5, 0, 0);
            assertEquals(1, kernel.outcomes.size());
        }
    }

    @Test
    void theKernelsSeriesAndBothSums(@TempDir Path dir) throws Exception {
        Path socket = dir.resolve("node.sock");
        try (Origin origin = Origin.start((request, out, client) -> {
            out.write(Lent.bytes("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
            return true;
        })) {
            String answer = "{\"ok\":true,\"result\":[{\"address\":\"127.0.0.1\",\"port\":" + origin.port()
                    + ",\"consecutive5xx\":7,\"consecutiveGatewayErrors\":6,\"consecutiveLocalFailures\":5,"
                    + "\"kernelSuccesses\":40,\"kernel5xx\":30}]}";
            try (LocalApiServer agent = LocalApiServer.start(
                            socket,
                            (request, replies) -> replies.send(request.contains("whois") ? Whois.answer("") : answer));
                    ProxyFixture mesh = new ProxyFixture(
                            Meshes.mesh().subset("", origin.port()).build(),
                            socket,
                            dir.resolve("access.log").toString());
                    RawClient client = new RawClient(mesh.port)) {
                client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
                client.read(false);
                JsonObject outlier = outlier(mesh);
                counted(outlier, 7, 6, 5, 40, 31, 0);
                assertTrue(outlier.get("withKernel").getAsBoolean());
            }
        }
    }
}
