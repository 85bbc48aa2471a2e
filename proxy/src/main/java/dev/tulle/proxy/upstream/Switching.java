package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.WebSocketKey;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * What a request for another protocol has to be answered with.
 *
 * @param protocol what is asked for; empty for nothing
 * @param must true when the client has no use for any other success: it would take it for the switch
 * @param key what the proxy has asked a server of WebSockets with, in place of a client that does without; empty for nothing
 */
record Switching(String protocol, boolean must, String key) {
    static final Switching NONE = new Switching("", false, "");

    private static final String WEBSOCKET = "websocket";
    private static final String KEY = "sec-websocket-key";
    private static final String ACCEPT = "sec-websocket-accept";

    /** Of a request to a server of HTTP/1.1. */
    static Switching of(RequestHead head, SplittableRandom random) {
        if (!head.isUpgrade()) {
            return NONE;
        }
        boolean asks = head.isExtendedConnect() && isWebSocket(head) && head.header(KEY) == null;
        return new Switching(head.upgrade(), head.isExtendedConnect(), asks ? WebSocketKey.of(random) : "");
    }

    private static boolean isWebSocket(RequestHead head) {
        return head.upgrade().equalsIgnoreCase(WEBSOCKET);
    }

    /** What the client's handshake has to be answered with, by whoever speaks for a server that has not seen it; else empty. */
    static String answerTo(RequestHead head) {
        String key = head.header(KEY);
        return key == null || !isWebSocket(head) ? "" : WebSocketKey.accept(key.strip());
    }

    /** Why a final answer will not do; null for one that will. */
    @Nullable
    String fault(ResponseHead answer) {
        if (must && answer.code() / 100 == 2) {
            return "a success that does not switch protocols";
        }
        if (!key.isEmpty() && answer.code() == 101) {
            String proof = answer.header(ACCEPT);
            return WebSocketKey.accept(key).equals(proof) ? null : "the answer to another handshake";
        }
        return null;
    }
}
