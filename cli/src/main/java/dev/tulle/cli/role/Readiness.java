package dev.tulle.cli.role;

import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.tulle.common.LocalApiClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Asks a role of this host whether it is ready. */
final class Readiness {
    private static final int TIMEOUT_MILLIS = 1000;
    private static final byte[] REQUEST = "GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            .getBytes(StandardCharsets.US_ASCII);

    private static final String QUESTION = "{\"method\":\"ready\"}";
    private static final int ANSWER_MAX = 4096;

    private Readiness() {}

    /** Whether the proxy behind this socket says that it is ready. */
    static boolean says(Path socket) {
        if (!Files.exists(socket)) {
            return false;
        }
        try {
            String answer = LocalApiClient.ask(socket, QUESTION, ANSWER_MAX, Duration.ofMillis(TIMEOUT_MILLIS));
            return JsonParser.parseString(answer).getAsJsonObject().get("result") instanceof JsonPrimitive said
                    && said.isBoolean()
                    && said.getAsBoolean();
        } catch (IOException | JsonParseException | IllegalStateException e) {
            return false;
        }
    }

    /** Whether the port of the loopback address answers with status 200. */
    static boolean answers(int port) {
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TIMEOUT_MILLIS);
            socket.getOutputStream().write(REQUEST);
            return new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII).equals("HTTP/1.1 200");
        } catch (IOException e) {
            return false;
        }
    }
}
