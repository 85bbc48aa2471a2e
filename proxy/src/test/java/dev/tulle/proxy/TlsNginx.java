package dev.tulle.proxy;

import dev.tulle.proxy.transport.Pki;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * An nginx that speaks TLS, HTTP/1.1 and HTTP/2: on one port to anybody, on another one to those with a certificate of its
 * authority. It answers with what it has seen of the connection.
 */
final class TlsNginx implements AutoCloseable {
    private static final String SEEN = "name=$ssl_server_name alpn=$ssl_alpn_protocol tls=$ssl_protocol"
            + " cipher=$ssl_cipher client=$ssl_client_s_dn reused=$ssl_session_reused http=$server_protocol"
            + " requests=$connection_requests scheme=$scheme";

    final int port;
    final int mutualPort;
    private final Process process;

    /**
     * Starts it.
     *
     * @param server whose certificate it shows
     * @param clients who must have issued those of clients
     */
    TlsNginx(Path directory, Pki pki, String server, String clients) throws IOException {
        try (ServerSocket one = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                ServerSocket two = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = one.getLocalPort();
            mutualPort = two.getLocalPort();
        }
        Path files = Files.createDirectories(directory.resolve("files"));
        Files.write(files.resolve("large"), new byte[20 << 20]);
        String common = """
                ssl_certificate %s;
                ssl_certificate_key %s;
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_session_cache shared:s:1m;
                ssl_session_tickets off;
                client_max_body_size 0;
                location = /large { root %s; }
                location = /whole { proxy_pass https://127.0.0.1:%d/; }
                location / { return 200 "%s\\n"; }
                """.formatted(pki.certificate(server), pki.key(server), files, port, SEEN);
        Path config = Files.writeString(directory.resolve("nginx.conf"), """
                daemon off;
                %s
                pid %s/nginx.pid;
                error_log %s/error.log;
                events {}
                http {
                  access_log off;
                  client_body_temp_path %s/body;
                  proxy_temp_path %s/proxy;
                  fastcgi_temp_path %s/fastcgi;
                  uwsgi_temp_path %s/uwsgi;
                  scgi_temp_path %s/scgi;
                  server { listen 127.0.0.1:%d ssl http2; %s }
                  server { listen 127.0.0.1:%d ssl http2; ssl_client_certificate %s; ssl_verify_client on; %s }
                }
                """.formatted(
                        // Its workers read files of this user's folder.
                        System.getProperty("user.name").equals("root") ? "user root;" : "",
                        directory,
                        directory,
                        directory,
                        directory,
                        directory,
                        directory,
                        directory,
                        port,
                        common,
                        mutualPort,
                        pki.certificate(clients),
                        common.replace("shared:s:1m", "shared:m:1m")));
        try {
            process = new ProcessBuilder("nginx", "-p", directory.toString(), "-c", config.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("said").toFile())
                    .start();
        } catch (IOException e) {
            throw new AssertionError("nginx is needed by this test (scripts/lib/setup.sh installs it): " + e, e);
        }
        awaitPort(directory);
    }

    private void awaitPort(Path directory) throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (true) {
            try (Socket probe = new Socket(InetAddress.getLoopbackAddress(), mutualPort)) {
                return;
            } catch (IOException e) {
                if (!process.isAlive() || System.nanoTime() > end) {
                    throw new AssertionError("nginx: " + Files.readString(directory.resolve("said")), e);
                }
                Thread.onSpinWait();
            }
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError("nginx does not end");
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
