package dev.tulle.config;

import java.util.List;

/**
 * Gateway API's Gateway: which ports the mesh's edge serves, and whose routes may attach there.
 *
 * @param sets whose ListenerSets may add listeners
 */
public record ApiGateway(Manifest manifest, List<ApiListener> listeners, NamespaceChoice sets)
        implements ConfigResource {
    public ApiGateway {
        listeners = List.copyOf(listeners);
    }
}
