package dev.tulle.xds;

import dev.tulle.model.EndpointSet;
import dev.tulle.model.Locality;
import dev.tulle.model.LocalityBalance;
import dev.tulle.model.LocalityPreference;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The endpoints as the clients of each place get them, made when the first such client asks. Where locality makes no
 * difference the resource is the one that all clients share. Owner thread only.
 */
final class EndpointViews {
    static final EndpointViews NONE = new EndpointViews(ResourceTable.EMPTY, Map.of());

    private final ResourceTable all;
    /** Those before these, for what they have encoded. */
    private final Map<Locality, ResourceTable> earlier;

    private final Map<Locality, ResourceTable> made = new HashMap<>();

    private EndpointViews(ResourceTable all, Map<Locality, ResourceTable> earlier) {
        this.all = all;
        this.earlier = earlier;
    }

    /** The views of another table of endpoints; these when it is the same one. */
    EndpointViews next(ResourceTable table) {
        return table == all ? this : new EndpointViews(table, Map.copyOf(made));
    }

    /** The endpoints for clients of a place. */
    ResourceTable of(Locality client) {
        return made.computeIfAbsent(client, this::make);
    }

    private ResourceTable make(Locality client) {
        ResourceTable before = earlier.getOrDefault(client, all);
        Map<String, EncodedResource> own = new HashMap<>();
        for (EncodedResource resource : all.all()) {
            if (resource.source() instanceof EndpointSet set
                    && !set.preference().equals(LocalityPreference.ANYWHERE)) {
                EndpointSet seen = LocalityBalance.seenFrom(client, set);
                EncodedResource known = before.resolve(resource.name());
                own.put(
                        resource.name(),
                        known != null && known.source().equals(seen)
                                ? known
                                : EncodedResource.of(resource.name(), List.of(), seen));
            }
        }
        return own.isEmpty() ? all : all.with(own);
    }
}
