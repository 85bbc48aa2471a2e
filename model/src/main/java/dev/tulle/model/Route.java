package dev.tulle.model;

/**
 * Match and action, the first that matches wins.
 *
 * @param name for people, logs and explanations; unique in its virtual host where the source allows
 * @param origin the object that declares it
 */
public record Route(
        String name,
        RouteMatch match,
        RouteAction action,
        FaultInjection fault,
        HeaderMutation headers,
        ResourceRef origin) {}
