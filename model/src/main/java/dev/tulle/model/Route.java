package dev.tulle.model;

import java.util.List;

/**
 * Match and action, the first that matches wins.
 *
 * @param name for people, logs and explanations; unique in its virtual host where the source allows
 * @param filters what else is done with its requests, in the order in which they meet it
 * @param origin the object that declares it
 */
public record Route(
        String name,
        RouteMatch match,
        RouteAction action,
        List<RouteFilter> filters,
        HeaderMutation headers,
        ResourceRef origin) {
    public Route {
        filters = List.copyOf(filters);
    }
}
