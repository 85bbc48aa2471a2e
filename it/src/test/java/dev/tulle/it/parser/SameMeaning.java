package dev.tulle.it.parser;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.it.parser.KernelParser.Head;
import dev.tulle.it.parser.KernelParser.Kind;
import dev.tulle.it.parser.KernelParser.Taken;
import dev.tulle.proxy.http1.MessageHead;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;

/** That the proxy's parser understands a head which the kernel's parser takes, and in the same way. */
final class SameMeaning {
    private static final String PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~&'()*+,:=/";

    private SameMeaning() {}

    /**
     * Compares.
     *
     * @param taken what the kernel took of the head
     * @param replay how to get there again, for the words of a failure
     */
    static void check(Head head, Taken taken, String replay) {
        String shown = head.kind() + " "
                + new String(head.bytes(), StandardCharsets.ISO_8859_1)
                        .replace("\r", "\\r")
                        .replace("\n", "\\n") + "; " + replay;
        ByteBuf in = Unpooled.wrappedBuffer(head.bytes());
        boolean request = head.kind() == Kind.REQUEST;
        MessageHead proxy = request ? new RequestHead() : new ResponseHead();
        assertEquals(ParseStatus.COMPLETE, proxy.read(in), shown);
        assertEquals(taken.head(), in.readerIndex(), "end of the head: " + shown);
        assertEquals(1, proxy.minorVersion(), shown);
        assertFalse(proxy.isChunked(), shown);
        assertTrue(proxy.keepsAlive(), shown);
        if (request) {
            compareRequest((RequestHead) proxy, taken, head, shown);
        } else {
            compareResponse((ResponseHead) proxy, taken, head, shown);
        }
    }

    private static void compareRequest(RequestHead proxy, Taken taken, Head head, String shown) {
        assertEquals(proxy.method(), taken.method(), shown);
        assertEquals(proxy.path(), taken.path(), shown);
        assertEquals(Math.max(0, proxy.contentLength()), taken.body(), shown);
        assertEquals(head.bytes().length, taken.head() + taken.body(), "end of the request: " + shown);
        assertFalse(proxy.isAbsolute() || proxy.expectsContinue() || proxy.isUpgrade() || proxy.isConnect(), shown);
        assertFalse(proxy.authority().isEmpty(), shown);
        // A path that a server could read as another one is the proxy's.
        assertTrue(isPlain(taken.path()), shown);
        for (int i = 0; i < KernelParser.NAMES.size(); i++) {
            assertEquals(proxy.header(KernelParser.NAMES.get(i)), taken.values().get(i), shown);
        }
        for (int i = 0; i < proxy.fieldCount(); i++) {
            assertFalse(proxy.isNominated(i), shown);
        }
    }

    private static void compareResponse(ResponseHead proxy, Taken taken, Head head, String shown) {
        assertEquals(proxy.code(), taken.code(), shown);
        assertTrue(proxy.code() >= 200, shown);
        boolean bodyless = proxy.isBodyless(head.kind() == Kind.RESPONSE_TO_HEAD);
        assertEquals(bodyless ? 0 : proxy.contentLength(), taken.body(), shown);
    }

    // Not by a regular expression: one with a choice that repeats takes stack for each character.
    private static boolean isPlain(String path) {
        boolean plain = path.startsWith("/") && !path.contains("//") && !path.contains("/.");
        for (int i = 0; i < path.length() && plain; i++) {
            plain = PLAIN.indexOf(path.charAt(i)) >= 0;
        }
        return plain;
    }
}
