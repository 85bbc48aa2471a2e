package dev.tulle.proxy.discovery;

import dev.tulle.model.Listener;
import dev.tulle.model.RouteTable;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything that the proxy needs for connections to one service address and port: one immutable view, swapped whole.
 *
 * @param listener what kind of connections these are
 * @param routes the route table; null for opaque connections, and when the control plane does not have it
 * @param clusters by name, every cluster that the routes refer to and that exists
 */
public record ServiceSnapshot(Listener listener, @Nullable RouteTable routes, Map<String, ClusterSnapshot> clusters) {
    public ServiceSnapshot {
        clusters = Map.copyOf(clusters);
    }
}
