package dev.tulle.proxy.filter;

import dev.tulle.model.Compression;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeadFilter;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteFilter;
import dev.tulle.proxy.http1.RequestHead;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The filters of a route, made ready. */
public final class Filters {
    private Filters() {}

    /** The same for calls of gRPC, which are watched whatever the route says. */
    public static List<FilterFactory> ofGrpc(List<FilterFactory> filters) {
        return Stream.concat(Stream.of(GrpcFilter::new), filters.stream()).toList();
    }

    /** The same for calls of gRPC-Web, which become calls of gRPC. */
    public static List<FilterFactory> ofGrpcWeb(List<FilterFactory> filters) {
        return Stream.concat(Stream.of(GrpcWebFilter::new), ofGrpc(filters).stream())
                .toList();
    }

    /** True for a call of gRPC-Web. */
    public static boolean isGrpcWeb(RequestHead head) {
        return GrpcWebFilter.isCall(head);
    }

    /**
     * Makes a route's filters ready, in their order.
     *
     * @throws IllegalArgumentException for a kind that this proxy does not know
     */
    public static List<FilterFactory> of(Route route) {
        List<FilterFactory> out = new ArrayList<>();
        for (RouteFilter filter : route.filters()) {
            switch (filter) {
                case FaultInjection fault -> out.add(() -> new FaultFilter(fault));
                case Compression compression -> out.add(CompressionFilter.factory(compression));
                case HeadFilter head -> {
                    if (route.action() instanceof RouteAction.Forward) {
                        out.add(HeadDecisionFilter.factory(head));
                    }
                }
                default -> throw new IllegalArgumentException("no filter for " + filter);
            }
        }
        return List.copyOf(out);
    }
}
