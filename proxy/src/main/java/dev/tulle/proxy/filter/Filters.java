package dev.tulle.proxy.filter;

import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeadFilter;
import dev.tulle.model.Route;
import dev.tulle.model.RouteFilter;
import java.util.ArrayList;
import java.util.List;

/** The filters of a route, made ready. */
public final class Filters {
    private Filters() {}

    /**
     * Makes a route's filters ready, in their order.
     *
     * @throws IllegalArgumentException for a kind that this proxy does not know
     */
    public static List<FilterFactory> of(Route route) {
        List<FilterFactory> out = new ArrayList<>();
        for (RouteFilter filter : route.filters()) {
            out.add(
                    switch (filter) {
                        case FaultInjection fault -> () -> new FaultFilter(fault);
                        case HeadFilter head -> HeadDecisionFilter.factory(head);
                        default -> throw new IllegalArgumentException("no filter for " + filter);
                    });
        }
        return List.copyOf(out);
    }
}
