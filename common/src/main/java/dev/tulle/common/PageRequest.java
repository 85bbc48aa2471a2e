package dev.tulle.common;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a client asks a {@link PageServer} for.
 *
 * @param method as it was sent
 * @param path without the query, begins with a slash
 * @param keeps whether the connection can take another request: the head is all that was sent, and nothing says otherwise
 */
record PageRequest(String method, String path, boolean keeps) {
    /** A request's head with its empty line; null when it does not begin as one of HTTP/1 with a path does. */
    static @Nullable PageRequest read(String head) {
        String[] words = head.substring(0, head.indexOf('\r')).split(" ", -1);
        if (words.length != 3 || !words[2].startsWith("HTTP/1.") || !words[1].startsWith("/")) {
            return null;
        }
        String fields = head.toLowerCase(Locale.ROOT);
        boolean body = fields.contains("\r\ntransfer-encoding:")
                || (fields.contains("\r\ncontent-length:") && !fields.contains("\r\ncontent-length: 0\r\n"));
        boolean keeps = words[2].equals("HTTP/1.1") && !fields.contains("\r\nconnection: close\r\n") && !body;
        int query = words[1].indexOf('?');
        return new PageRequest(words[0], query < 0 ? words[1] : words[1].substring(0, query), keeps);
    }

    /** Whether only the head of the answer is wanted. */
    boolean isHead() {
        return method.equals("HEAD");
    }
}
