package dev.tulle.model;

import java.time.Duration;

/**
 * How connections of HTTP/2 to the endpoints of a cluster are kept.
 *
 * @param maxStreams requests at a time on one; 0 means no bound but the server's
 * @param pingInterval one that has been silent for so long is asked for a sign of life; zero to ask for none
 * @param pingTimeout one that gives none within this is closed
 */
public record Http2Options(int maxStreams, Duration pingInterval, Duration pingTimeout) {
    /** Nothing but what the server says. */
    public static final Http2Options NONE = new Http2Options(0, Duration.ZERO, Duration.ZERO);

    public Http2Options {
        if (maxStreams < 0) {
            throw new IllegalArgumentException("streams at a time: expected none or more, got " + maxStreams);
        }
        if (pingInterval.isNegative() || pingInterval.isZero() != pingTimeout.isZero() || pingTimeout.isNegative()) {
            throw new IllegalArgumentException(
                    "an interval of PING needs a timeout: got " + pingInterval + " and " + pingTimeout);
        }
    }
}
