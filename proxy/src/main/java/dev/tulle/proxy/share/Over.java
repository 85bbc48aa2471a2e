package dev.tulle.proxy.share;

/** What a client wanted more of than its share, or had more of than what every client may have. */
public enum Over {
    /** A new connection was closed at once. */
    CONNECTIONS("connection_refused"),
    /** A connection that was idle was closed for a new one of the same client. */
    IDLE("idle_connection_closed"),
    /** A connection that had not moved for longest was closed, as others of the client wait for readers too. */
    STALLED("stalled_connection_closed"),
    /** A connection stalled and stayed, while more of its client's bytes waited than the minimum: the others leave room. */
    STALLS("stalled_beyond_minimum"),
    /** A request was refused, as its head is large and those of the client's other requests are together. */
    HEADS("large_head_refused"),
    /** A request waited for the loop's next pass, as those before it had taken the client's part of this one. */
    LOOP_TIME("request_deferred"),
    /** A line of the access log was not written. */
    LOG_LINES("log_line_dropped");

    private final String label;

    Over(String label) {
        this.label = label;
    }

    /** In metrics. */
    public String label() {
        return label;
    }
}
