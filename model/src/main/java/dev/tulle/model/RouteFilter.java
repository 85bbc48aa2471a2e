package dev.tulle.model;

import dev.tulle.common.Reason;
import java.util.Optional;

/**
 * What a route does with its requests besides choosing where they go. It bears its own proof for the kernel's path, and says
 * itself what it does, so that whoever decides, explains or shows goes over a route's filters and knows none of them. One
 * that decides on the request's head alone is a {@link HeadFilter}.
 */
public interface RouteFilter {
    /** Why only the node proxy can do it; empty where no request is touched, so that the kernel may forward them. */
    Optional<ProxyWork> needsProxy();

    /** What it does, in words that follow "the route", such as {@code delay 2s for 10%}. */
    String text();

    /**
     * Work that the kernel cannot do.
     *
     * @param reason its number, as maps, metrics and explanations bear it
     * @param text what the route does, as the end of "it …"
     */
    record ProxyWork(Reason reason, String text) {}
}
