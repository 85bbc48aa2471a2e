package dev.tulle.cli.demo;

import com.google.protobuf.Int32Value;
import com.google.protobuf.StringValue;
import dev.tulle.cli.client.CommandFailure;
import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSession;
import javax.net.ssl.TrustManagerFactory;

/** The demo's gateway as callers outside see it: its certificate, made here, and requests to it. Blocks; one thread. */
final class Edge {
    /**
     * One answer.
     *
     * @param protocol the version of HTTP
     * @param tls the version of TLS
     */
    record Answer(int status, String protocol, String tls) {}

    private static final MethodDescriptor<StringValue, Int32Value> COUNT =
            MethodDescriptor.<StringValue, Int32Value>newBuilder()
                    .setType(MethodDescriptor.MethodType.UNARY)
                    .setFullMethodName("bookinfo.Stock/Count")
                    .setRequestMarshaller(ProtoUtils.marshaller(StringValue.getDefaultInstance()))
                    .setResponseMarshaller(ProtoUtils.marshaller(Int32Value.getDefaultInstance()))
                    .build();

    private static final String NAME = "shop";
    private static final char[] PASSWORD = "only to get it out of the tool".toCharArray();
    private static final Duration PATIENCE = Duration.ofSeconds(15);

    private final Path file;
    private final Path run;
    private final Path folder;
    private final int port;
    private final int metricsPort;

    /**
     * Nothing is made yet.
     *
     * @param file the sample's configuration
     * @param run the mesh's folder for sockets, which the proxy's user may enter
     */
    Edge(Path file, Path run, int port, int metricsPort) {
        this.file = file;
        this.run = run;
        this.folder = run.resolve("edge");
        this.port = port;
        this.metricsPort = metricsPort;
    }

    Path file() {
        return file;
    }

    int metricsPort() {
        return metricsPort;
    }

    Path certificate() {
        return folder.resolve("shop.pem");
    }

    String page() {
        return "https://localhost:" + port + "/productpage";
    }

    /** Makes the certificate and its key, as files that the gateway's user may read. */
    void makeCertificate() throws IOException, InterruptedException {
        Files.createDirectories(folder);
        Path store = folder.resolve("shop.p12");
        Process keytool = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-keystore",
                        store.toString(),
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        new String(PASSWORD),
                        "-alias",
                        NAME,
                        "-keyalg",
                        "EC",
                        "-groupname",
                        "secp256r1",
                        "-validity",
                        "2",
                        "-dname",
                        "CN=Tulle demo",
                        "-ext",
                        "san=dns:localhost,ip:127.0.0.1"))
                .redirectErrorStream(true)
                .start();
        String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (keytool.waitFor() != 0) {
            throw new CommandFailure(CommandFailure.NO, "keytool makes no certificate: " + said.strip());
        }
        try (InputStream in = Files.newInputStream(store)) {
            KeyStore made = KeyStore.getInstance("PKCS12");
            made.load(in, PASSWORD);
            write("shop.pem", "CERTIFICATE", made.getCertificate(NAME).getEncoded());
            write("shop.key", "PRIVATE KEY", made.getKey(NAME, PASSWORD).getEncoded());
        } catch (GeneralSecurityException e) {
            throw new IOException(store + ": " + e.getMessage(), e);
        }
        Files.delete(store);
        Object group = Files.getAttribute(run, "unix:gid");
        for (Path one : List.of(folder, folder.resolve("shop.pem"), folder.resolve("shop.key"))) {
            Files.setAttribute(one, "unix:gid", group);
        }
    }

    private void write(String name, String kind, byte[] bytes) throws IOException {
        Path path = folder.resolve(name);
        Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")));
        Files.writeString(
                path,
                "-----BEGIN " + kind + "-----\n"
                        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes) + "\n-----END " + kind
                        + "-----\n");
    }

    /** The sample's configuration for this certificate and port. */
    String configuration() throws IOException {
        return Files.readString(file).replace("/etc/tulle/", folder + "/").replace("number: 8443", "number: " + port);
    }

    /** Asks for the page. */
    Answer get() throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newBuilder().sslContext(trusting()).build()) {
            HttpRequest request =
                    HttpRequest.newBuilder(URI.create(page())).timeout(PATIENCE).build();
            HttpResponse<Void> response = client.send(request, HttpResponse.BodyHandlers.discarding());
            return new Answer(
                    response.statusCode(),
                    response.version().name(),
                    response.sslSession().map(SSLSession::getProtocol).orElse("no TLS"));
        }
    }

    private SSLContext trusting() throws IOException {
        try (InputStream in = Files.newInputStream(certificate())) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setCertificateEntry(
                    NAME, CertificateFactory.getInstance("X.509").generateCertificate(in));
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IOException(certificate() + ": " + e.getMessage(), e);
        }
    }

    /** Calls the service of gRPC as often; how many calls ended in which way. */
    String calls(int count) throws IOException {
        Map<String, Integer> outcomes = new TreeMap<>();
        ManagedChannel channel = Grpc.newChannelBuilder(
                        "localhost:" + port,
                        TlsChannelCredentials.newBuilder()
                                .trustManager(certificate().toFile())
                                .build())
                .proxyDetector(_ -> null)
                .build();
        try {
            CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            for (int i = 0; i < count; i++) {
                outcomes.merge(call(channel, options, i), 1, Integer::sum);
            }
        } finally {
            channel.shutdownNow();
        }
        return outcomes.entrySet().stream()
                .map(entry -> entry.getValue() + " " + entry.getKey())
                .collect(Collectors.joining(", "));
    }

    private static String call(ManagedChannel channel, CallOptions options, int product) {
        try {
            int stock = ClientCalls.blockingUnaryCall(
                            channel, COUNT, options, StringValue.of(Integer.toString(product)))
                    .getValue();
            return stock == 100 + product ? "OK" : "wrong answers";
        } catch (StatusRuntimeException e) {
            return String.valueOf(e.getStatus());
        }
    }

    /** Removes what was made. */
    void removeFiles() throws IOException {
        for (String name : List.of("shop.p12", "shop.pem", "shop.key")) {
            Files.deleteIfExists(folder.resolve(name));
        }
        Files.deleteIfExists(folder);
    }
}
