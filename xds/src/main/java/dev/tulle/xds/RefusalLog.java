package dev.tulle.xds;

import dev.tulle.common.VisibleText;
import java.time.Duration;
import java.util.function.LongSupplier;

/** Tells in the log what one client refuses: short lines, and few, whatever the client sends. Server's owner thread only. */
final class RefusalLog {
    /** One line in this time at most; what comes between is counted. */
    static final Duration INTERVAL = Duration.ofSeconds(1);

    private static final System.Logger LOG = System.getLogger(RefusalLog.class.getName());
    private static final int MAX_TEXT = 500;

    private final LongSupplier nanos;
    private boolean logged;
    private long last;
    private long between;

    RefusalLog(LongSupplier nanos) {
        this.nanos = nanos;
    }

    /** What a client says of a response, as it is shown: why it refuses all of it, or one resource. */
    static String shown(String reason) {
        return VisibleText.line(reason, MAX_TEXT);
    }

    /** Tells of a refusal, unless the last line is too young. */
    void refused(NodeIdentity node, String typeUrl, String reason) {
        String line = line(node, typeUrl, reason);
        if (!line.isEmpty()) {
            LOG.log(System.Logger.Level.WARNING, line);
        }
    }

    /** The line to log; empty for none. */
    String line(NodeIdentity node, String typeUrl, String reason) {
        long now = nanos.getAsLong();
        if (logged && now - last < INTERVAL.toNanos()) {
            between++;
            return "";
        }
        String more = between == 0 ? "" : " (and " + between + " more since the last line)";
        logged = true;
        last = now;
        between = 0;
        return node.role() + " " + node.id() + " refuses a " + ResourceType.shortNameOf(typeUrl) + " response: "
                + shown(reason) + more;
    }
}
