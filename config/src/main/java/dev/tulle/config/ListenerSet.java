package dev.tulle.config;

import java.util.List;

/**
 * Gateway API's ListenerSet: more listeners of a Gateway.
 *
 * @param gateway the Gateway that it names
 * @param position where that is written
 */
public record ListenerSet(Manifest manifest, ResourceKey gateway, Position position, List<ApiListener> listeners)
        implements ConfigResource {
    public ListenerSet {
        listeners = List.copyOf(listeners);
    }
}
