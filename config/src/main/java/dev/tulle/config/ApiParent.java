package dev.tulle.config;

import java.util.OptionalInt;

/**
 * The Gateway or ListenerSet that a route of Gateway API wants to be attached to.
 *
 * @param section only the listener of this name; empty for all
 * @param port only listeners of this port; empty for all
 * @param position where its name is written
 */
public record ApiParent(ResourceKey parent, String section, OptionalInt port, Position position) {
    /** True when a listener of the parent is meant. */
    boolean means(ApiListener listener) {
        return (section.isEmpty() || section.equals(listener.name()))
                && (port.isEmpty() || port.getAsInt() == listener.port());
    }

    @Override
    public String toString() {
        return parent
                + (section.isEmpty() ? "" : " sectionName " + section)
                + (port.isEmpty() ? "" : " port " + port.getAsInt());
    }
}
