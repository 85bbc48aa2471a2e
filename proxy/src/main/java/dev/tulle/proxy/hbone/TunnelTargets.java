package dev.tulle.proxy.hbone;

import dev.tulle.model.Endpoint;
import org.jspecify.annotations.Nullable;

/** Knows which endpoints are reached through tunnels. Any thread. */
@FunctionalInterface
public interface TunnelTargets {
    /** None is. */
    TunnelTargets NONE = endpoint -> null;

    /** Where the tunnel to an endpoint leads to; null for one of this node, or of no node. */
    @Nullable
    TunnelTarget of(Endpoint endpoint);
}
