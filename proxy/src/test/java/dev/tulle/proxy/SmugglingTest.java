package dev.tulle.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Request smuggling against a real nginx: after every doubtful message, on whatever upstream connection is shared, an
 * innocent request gets exactly its own answer, and nginx never sees a request that no client sent.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SmugglingTest {
    private static final int PORT = 21_190;

    private static @Nullable Process nginx;
    private static Path log = Path.of("");

    /** Two readings of each are possible for a careless parser; a hidden GET /evil follows in most. */
    private static final List<String> VECTORS = List.of(
            "POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nX: y",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1e\r\nGET /evil HTTP/1.1\r\nHost: w\r\n\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding:\u000bchunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nX: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nX: y\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nX: y\rTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\nContent-Length: 36\r\n\r\nabcGET /evil HTTP/1.1\r\nHost: w\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nContent-Length: +3\r\n\r\nabcGET /evil HTTP/1.1\r\nHost: w\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0x3\r\n\r\nabcGET /evil HTTP/1.1\r\nHost: w\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nConnection: Content-Length\r\nContent-Length: 36\r\n\r\nGET /evil HTTP/1.1\r\nHost: w\r\nX: yyyyyy",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0x1e\r\nGET /evil HTTP/1.1\r\nHost: w\r\n\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"\r\nabc\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n\"\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\nGET /evil HTTP/1.1\r\nHost: w\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\nHost: evil\n\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: w\r\nHost: evil\r\n\r\n",
            "GET http://w/absolute HTTP/1.1\r\nHost: evil\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/1.1 GET /evil HTTP/1.1\r\nHost: w\r\n\r\n",
            "GET /\u000bx HTTP/1.1\r\nHost: w\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: w\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: w\r\nExpect:  100-continue, x\r\nContent-Length: 30\r\n\r\nGET /evil HTTP/1.1\r\nHost: w\r\n",
            "GET / HTTP/1.1\r\nHost: w\r\nContent-Length: 31\r\n\r\nGET /evil HTTP/1.1\r\nHost: w\r\n\r\n",
            "DELETE / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\nGET /evil HTTP/1.1\r\nHost: w\r\n\r\n\r\n0\r\n\r\n");

    @BeforeAll
    static void startNginx(@TempDir Path dir) throws Exception {
        log = dir.resolve("access.log");
        Path conf = dir.resolve("nginx.conf");
        Files.writeString(conf, """
                worker_processes 1; daemon off; pid %1$s/pid; error_log %1$s/error.log;
                events { worker_connections 256; }
                http {
                  log_format line '$request_uri'; access_log %1$s/access.log line;
                  client_body_temp_path %1$s/body; keepalive_requests 100000;
                  server { listen 127.0.0.1:%2$d; location / { return 200 "$request_uri"; } }
                }
                """.formatted(dir, PORT));
        nginx = new ProcessBuilder("nginx", "-e", dir.resolve("start.log").toString(), "-c", conf.toString())
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("out.log").toFile())
                .start();
        for (int i = 0; i < 100; i++) {
            try (RawClient client = new RawClient(PORT)) {
                return;
            } catch (IOException e) {
                Thread.sleep(50);
            }
        }
        throw new IllegalStateException("nginx did not start: install the package nginx-light");
    }

    @AfterAll
    static void stopNginx() throws Exception {
        Process started = nginx;
        if (started != null) {
            started.destroy();
            started.waitFor();
        }
    }

    @Test
    void nothingIsSmuggled() throws Exception {
        try (ProxyFixture proxy =
                new ProxyFixture(Meshes.mesh().subset("", PORT).build())) {
            int number = 0;
            for (String vector : VECTORS) {
                try (RawClient attacker = new RawClient(proxy.port)) {
                    attacker.socket.setSoTimeout(300);
                    attacker.send(vector);
                    attacker.in().readNBytes(1);
                } catch (IOException e) {
                    // Waiting for the rest of a body, or cut: both are good answers.
                    assertTrue(e.getMessage() != null, vector);
                }
                for (int i = 0; i < 4; i++) {
                    String path = "/innocent-" + number++;
                    RawClient.Response response = RawClient.get(proxy.port, path);
                    assertEquals(200, response.code(), vector);
                    assertEquals(path, response.body(), vector);
                }
            }
        }
        String seen = Files.readString(log, StandardCharsets.ISO_8859_1);
        assertTrue(!seen.contains("evil"), seen);
    }
}
