package dev.tulle.xds;

import java.util.Map;

/**
 * Counts of a server since its start.
 *
 * @param pushes responses sent, by Envoy's abbreviation of the type
 * @param rejects responses that a client refused
 * @param bytes response bytes sent
 * @param streams streams opened
 */
public record XdsServerStats(Map<String, Long> pushes, long rejects, long bytes, long streams) {
    public XdsServerStats {
        pushes = Map.copyOf(pushes);
    }
}
