package dev.tulle.proxy.http1;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client outside the mesh may not tell a server: who was before it. */
class ForwardingFieldsTest {
    private static boolean isOne(String name) {
        byte[] bytes = ("x" + name + ":").getBytes(StandardCharsets.US_ASCII);
        return ForwardingFields.isOne(bytes, 1, bytes.length - 1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Forwarded",
                "X-Forwarded",
                "X-Forwarded-For",
                "x-forwarded-host",
                "X-FORWARDED-PORT",
                "X-Forwarded-Proto",
                "X-Forwarded-Client-Cert",
                "X-Forwarded-Prefix",
                "x_forwarded_for",
                "X_Forwarded-For",
                "x-forwarded_",
                "X-Real-IP",
                "x_real_ip",
                "X-Envoy-External-Address",
                "x_envoy_internal",
            })
    void isRemoved(String name) {
        assertTrue(isOne(name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "X",
                "X-Forwardedness",
                "X-Forwarde",
                "Forwarded-For",
                "X-Real-IP-2",
                "X-Real",
                "Via",
                "X-Request-Id",
                "Cookie",
                "xforwarded-for"
            })
    void isPassedOn(String name) {
        assertFalse(isOne(name));
    }

    private record From(boolean edge, String outside) implements Sender {
        @Override
        public boolean secure() {
            return false;
        }
    }

    private record AsReceived(RequestHead head, Sender sender) implements ForwardedRequest {
        @Override
        public @Nullable String path() {
            return null;
        }

        @Override
        public @Nullable String authority() {
            return null;
        }

        @Override
        public HeaderProgram changes() {
            return HeaderProgram.NONE;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"192.0.2.7", ""})
    void onlyClientsOutsideTheMeshAreNotBelieved(String outside) {
        byte[] bytes = """
                GET / HTTP/1.1
                Host: web
                x_forwarded_for: 1.1.1.1
                X-Forwarded-For: 2.2.2.2
                X-Forwarded-Host: evil
                X-Real-IP: 3.3.3.3
                X-Test: 1

                """.replace("\n", "\r\n").getBytes(StandardCharsets.US_ASCII);
        RequestHead head = new RequestHead();
        assertEquals(ParseStatus.COMPLETE, head.read(Unpooled.wrappedBuffer(bytes)));
        ByteSink out = new ByteSink();
        HeadWriter.request(out, new AsReceived(head, new From(false, outside)), new SplittableRandom(1));
        String sent = new String(out.array(), 0, out.length(), StandardCharsets.US_ASCII);
        assertTrue(sent.contains("X-Test: 1\r\n"), sent);
        if (outside.isEmpty()) {
            assertTrue(sent.contains("x_forwarded_for: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"), sent);
        } else {
            assertEquals(
                    "GET / HTTP/1.1|Host: web|X-Test: 1|x-forwarded-for: 192.0.2.7|x-envoy-external-address: 192.0.2.7"
                            + "|x-forwarded-proto: http||",
                    sent.replace("\r\n", "|"));
        }
    }
}
