package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Answers that are compressed at the gateway and in the mesh, read by a client that is not ours. */
@Tag("e2e")
class GatewayCompressionTest {
    private static final String GATEWAY = """
            apiVersion: networking.istio.io/v1
            kind: Gateway
            metadata:
              name: front
              annotations: {tulle.dev/compression: "%s"}
            spec:
              selector: {istio: ingressgateway}
              servers:
              - {port: {number: %d, name: http, protocol: HTTP}, hosts: [shop.example.com]}
            """;

    private static final String ROUTES = """
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: shop%s}
            spec:
              hosts: [%s]
              gateways: [%s]
              http: [{route: [{destination: {host: web}}]}]
            """;

    private static final String TEXT = "what is said again and again\n".repeat(20_000);

    private static void serve(MeshLab lab) throws Exception {
        Path files = Files.createDirectories(lab.folder().resolve("files"));
        Files.writeString(files.resolve("page.txt"), TEXT);
        lab.workload(
                "web",
                List.of("--service", "web", "--port", "http:9080"),
                List.of("python3", "-m", "http.server", "9080", "--directory", files.toString()));
        lab.await("web is ready", Duration.ofSeconds(20), () -> {
            try {
                return lab.tulle("endpoints").run().out().contains("9080");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    /** The page, decoded by curl, and in a line behind it how long it was on the way and in what coding. */
    private static List<String> page(String url, String... more) {
        List<String> command = new ArrayList<>(List.of(
                "curl", "-s", "-m", "20", "--compressed", "-w", "\n%{size_download} %header{content-encoding}"));
        command.addAll(List.of(more));
        command.add(url);
        return command;
    }

    private static void check(String out, String coding) {
        int last = out.lastIndexOf('\n');
        assertEquals(TEXT, out.substring(0, last));
        String[] told = out.substring(last + 1).split(" ", -1);
        assertEquals(coding, told[1]);
        assertEquals(coding.isEmpty(), Long.parseLong(told[0]) == TEXT.length(), told[0] + " bytes");
    }

    @Test
    void whatCurlTakesItGetsAtTheGatewayAndWhereARouteAsksForItInTheMesh() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            serve(lab);
            int port = GatewayTest.freePort();
            lab.apply("shop", ROUTES.formatted("", "shop.example.com", "front"));
            lab.apply("front", GATEWAY.formatted("{}", port));
            String url = "http://127.0.0.1:" + port + "/page.txt";
            for (String version : List.of("--http1.1", "--http2-prior-knowledge", "--http1.0")) {
                for (String coding : List.of("gzip", "br", "zstd")) {
                    Command.Result got = Command.of(page(
                                    url, version, "-H", "Host: shop.example.com", "-H", "Accept-Encoding: " + coding))
                            .run();
                    check(got.out(), coding);
                }
            }
            check(Command.of(page(url, "-H", "Host: shop.example.com")).run().out(), "zstd");
            check(
                    Command.of(page(url, "-H", "Host: shop.example.com", "-H", "Accept-Encoding: identity"))
                            .run()
                            .out(),
                    "");

            lab.apply("front", GATEWAY.formatted("{encodings: [gzip], contentTypes: [text/html]}", port));
            check(Command.of(page(url, "-H", "Host: shop.example.com")).run().out(), "");

            String inside = "http://web:9080/page.txt";
            String[] asks = page(inside, "-H", "Accept-Encoding: gzip").toArray(String[]::new);
            check(lab.in("caller", asks).ok().out(), "");
            lab.apply(
                    "web",
                    ROUTES.formatted(
                            "-web, annotations: {tulle.dev/compression: '{encodings: [gzip]}'}", "web", "mesh"));
            check(lab.in("caller", asks).ok().out(), "gzip");
            String explained = lab.tulle("services").ok().out();
            assertTrue(explained.contains("compresses answers"), explained);
        }
    }
}
