package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.agent.MeshHost.Started;
import dev.tulle.agent.tier.Tier;
import dev.tulle.model.Endpoint;
import dev.tulle.model.PortPath;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Goal: whichever hook the kernel refuses, the mesh starts in the next tier or without that one facility. Method: refuses
 * each in turn; where a kernel tier remains, a connection by kernel L4 still goes through. The demo with each hook refused
 * is {@code scripts/hooks}.
 */
class RefusedHooksTest {
    private static final String VARIABLE = "TULLE_REFUSE_HOOKS";

    private static final String SERVER = """
            import socket
            s = socket.create_server(('', 9080))
            while True:
                c, a = s.accept()
                c.sendall(b'hello ' + a[0].encode())
                c.close()
            """;

    private static final String CLIENT = """
            import socket, time
            for i in range(100):
                try:
                    print(socket.create_connection(('240.242.0.9', 9080), 5).recv(99).decode())
                    break
                except OSError as e:
                    print(e)
                    time.sleep(0.1)
            """;

    @TempDir
    Path dir;

    private static Map<String, Tier> hooks() {
        Map<String, Tier> hooks = new LinkedHashMap<>();
        for (String hook :
                List.of("connect4", "connect6", "bind4", "bind6", "sockops", "getsockopt", "sendmsg4", "recvmsg4")) {
            hooks.put(hook, Tier.NFTABLES);
        }
        hooks.put("skb_verdict", Tier.REDIRECT);
        hooks.put("skmsg", Tier.REDIRECT);
        for (String hook : List.of(
                "sendmsg6",
                "recvmsg6",
                "getpeer4",
                "getpeer6",
                "getsock4",
                "getsock6",
                "sk_lookup",
                "request",
                "response",
                "setsockopt",
                "tc_egress",
                "tc_ingress")) {
            hooks.put(hook, Tier.SPLICE);
        }
        return hooks;
    }

    @Test
    void eachHookHasANextBest() throws Exception {
        int number = 0;
        for (Map.Entry<String, Tier> one : hooks().entrySet()) {
            // Half of them at load, half at attach.
            String refused = one.getKey() + (number++ % 2 == 0 ? "" : "@attach");
            System.setProperty(VARIABLE, refused);
            try (MeshHost host = new MeshHost(dir, Optional.empty())) {
                try (NodeAgent agent = host.start()) {
                    assertEquals(one.getValue(), agent.tier(), refused);
                    JsonObject status = host.object("status", "{}");
                    assertEquals(List.of(), status.getAsJsonArray("troubles").asList(), refused);
                    if (agent.tier().hasOwnAddresses()) {
                        said(status, one.getKey());
                        connects(host, refused);
                    }
                }
            } finally {
                System.clearProperty(VARIABLE);
            }
        }
    }

    /** The report names the hook, unless a better tier was dropped because of it. */
    private static void said(JsonObject status, String hook) {
        for (JsonElement element : status.getAsJsonArray("hooks")) {
            JsonObject one = element.getAsJsonObject();
            if (one.get("name").getAsString().equals(hook)) {
                assertEquals("off", one.get("state").getAsString(), hook);
            }
        }
        boolean http = List.of("request", "response", "setsockopt").contains(hook);
        if (http) {
            JsonObject kernelHttp = status.getAsJsonObject("kernelHttp");
            assertFalse(kernelHttp.get("on").getAsBoolean());
            assertTrue(kernelHttp.get("reason").getAsString().contains(hook), kernelHttp.toString());
        }
    }

    /** Asks the agent's DNS for the service, which makes it follow it. */
    private static void lookUp() throws IOException {
        ByteArrayOutputStream query = new ByteArrayOutputStream();
        query.writeBytes(new byte[] {1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0});
        for (String label : "s.default.svc.cluster.local".split("[.]")) {
            query.write(label.length());
            query.writeBytes(label.getBytes(StandardCharsets.US_ASCII));
        }
        query.writeBytes(new byte[] {0, 0, 1, 0, 1});
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(5_000);
            socket.connect(InetAddress.ofLiteral("127.0.0.1"), MeshHost.DNS);
            socket.send(new DatagramPacket(query.toByteArray(), query.size()));
            socket.receive(new DatagramPacket(new byte[512], 512));
        }
    }

    private static void connects(MeshHost host, String refused) throws IOException, InterruptedException {
        Started server = host.run("{'name':'s','service':'s','ports':['tcp:9080']}", "python3", "-u", "-c", SERVER);
        host.control.service(
                "s",
                "240.242.0.9",
                9080,
                PortPath.Path.KERNEL_L4,
                List.of(new Endpoint(server.address(), 9080, 1, true, "s", "default")));
        // By address: the hooks of DNS may be the ones that are missing.
        lookUp();
        String answer = host.run("{'name':'c'}", "python3", "-c", CLIENT).result();
        assertTrue(answer.contains("hello 100.80.3."), refused + ": " + answer);
    }
}
