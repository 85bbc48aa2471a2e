package dev.tulle.cli.role;

import dev.tulle.agent.AgentOptions;
import dev.tulle.agent.HostCheck;
import dev.tulle.control.ControlOptions;
import dev.tulle.control.ControlPlane;
import dev.tulle.proxy.NodeProxy;
import dev.tulle.proxy.ProxyOptions;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Short runs of the long-lived roles without privilege and without the kernel's part, on free ports of the loopback
 * address, for their start-up archives.
 */
public final class Training {
    private static final String MANIFEST = """
            apiVersion: v1
            kind: Service
            metadata: {name: training}
            spec: {selector: {app: training}, ports: [{name: http, port: 80}]}
            ---
            apiVersion: networking.istio.io/v1
            kind: VirtualService
            metadata: {name: training}
            spec:
              hosts: [training]
              http:
                - match: [{headers: {end-user: {exact: jason}}, uri: {prefix: /}}]
                  route: [{destination: {host: training}}]
                - route: [{destination: {host: training}}]
            """;

    private static final int REQUESTS = 50;

    private Training() {}

    /**
     * The JVM of control and agent.
     *
     * @param work an empty folder
     */
    public static void node(Path work) throws IOException {
        int port = freePort();
        try (ControlPlane control = control(work);
                NodeProxy _ = proxy(control, port)) {
            requests(port);
        }
        HostCheck.run(
                AgentOptions.builder().runDirectory(work).stateDirectory(work).build());
    }

    /**
     * The JVM of the proxy.
     *
     * @param work an empty folder
     */
    public static void proxy(Path work) throws IOException {
        int port = freePort();
        try (ControlPlane control = control(work);
                NodeProxy _ = proxy(control, port)) {
            requests(port);
        }
    }

    private static ControlPlane control(Path work) throws IOException {
        Path config = Files.createDirectories(work.resolve("config"));
        Files.writeString(config.resolve("training.yaml"), MANIFEST);
        return ControlPlane.start(
                ControlOptions.of(work, work.resolve("control.sock")).withHttpPort(0));
    }

    private static NodeProxy proxy(ControlPlane control, int port) throws IOException {
        return NodeProxy.start(ProxyOptions.builder()
                .nodeId("training")
                .xds(control.options().places().xdsSocket())
                .outbound(List.of("127.0.0.1"), 0)
                .explicit("127.0.0.1", port)
                .probes("127.0.0.1", 0, 0)
                .build());
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** The whole way of a request to a service that has no endpoint: accept, parse, discover, route, answer 503. */
    private static void requests(int port) throws IOException {
        byte[] request =
                "GET http://training/ HTTP/1.1\r\nHost: training\r\nend-user: jason\r\nConnection: close\r\n\r\n"
                        .getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i < REQUESTS; i++) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                OutputStream out = socket.getOutputStream();
                out.write(request);
                socket.getInputStream().readAllBytes();
            }
        }
    }
}
