package dev.tulle.telemetry;

import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;

/**
 * One finished request or connection. Empty text and negative numbers are written as {@code -}.
 *
 * @param startMillis when it began, milliseconds since the epoch
 * @param method empty for a connection of bytes
 * @param target path and query as received
 * @param protocol for example {@code HTTP/1.1} or {@code TCP}
 * @param code the status sent downstream, 0 for none
 * @param flags Envoy's response flags
 * @param details why, in words joined by underscores or a sentence
 * @param received bytes of the request's body
 * @param sent bytes of the response's body
 * @param durationMicros until the end
 * @param upstreamMicros until the upstream's response head; negative when none came
 * @param forwardedFor the request's X-Forwarded-For
 * @param userAgent the request's User-Agent
 * @param requestId the request's X-Request-Id
 * @param authority the request's authority
 * @param upstream the endpoint's address and port
 * @param cluster the cluster's name
 * @param downstreamLocal the address that the client dialled
 * @param downstreamRemote the client's address and port
 * @param source the client's workload, {@code namespace/name}
 * @param route the route's name
 */
public record AccessLogEntry(
        long startMillis,
        String method,
        String target,
        String protocol,
        int code,
        String flags,
        String details,
        long received,
        long sent,
        long durationMicros,
        long upstreamMicros,
        String forwardedFor,
        String userAgent,
        String requestId,
        String authority,
        String upstream,
        String cluster,
        String downstreamLocal,
        String downstreamRemote,
        String source,
        String route) {

    /** The entry as one line without its end, in the shape of Istio's default format, the source added at its end. */
    public String format() {
        StringBuilder out = new StringBuilder(256);
        out.append('[')
                .append(DateTimeFormatter.ISO_INSTANT.format(
                        Instant.ofEpochMilli(startMillis).truncatedTo(ChronoUnit.MILLIS)))
                .append("] \"");
        if (method.isEmpty()) {
            out.append("- - -");
        } else {
            text(out, method).append(' ');
            text(out, target).append(' ').append(protocol);
        }
        out.append("\" ").append(code).append(' ');
        text(out, flags).append(' ');
        quoted(out, details).append(' ');
        out.append(received).append(' ').append(sent).append(' ').append(durationMicros / 1000);
        out.append(' ').append(upstreamMicros < 0 ? "-" : Long.toString(upstreamMicros / 1000));
        for (String part : new String[] {forwardedFor, userAgent, requestId, authority, upstream}) {
            quoted(out.append(' '), part);
        }
        for (String part : new String[] {cluster, downstreamLocal, downstreamRemote}) {
            text(out.append(' '), part);
        }
        text(out.append(' '), route);
        text(out.append(' '), source);
        return out.toString();
    }

    private static StringBuilder quoted(StringBuilder out, String value) {
        return text(out.append('"'), value).append('"');
    }

    /** Text from outside cannot end a quote or a line. */
    private static StringBuilder text(StringBuilder out, String value) {
        if (value.isEmpty()) {
            return out.append('-');
        }
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || (c >= 0x7f && c < 0xa0)) {
                out.append(String.format("\\x%02x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out;
    }
}
