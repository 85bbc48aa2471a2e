package dev.tulle.config;

import dev.tulle.common.VisibleText;
import dev.tulle.config.GatewayAttachments.Outcome;
import dev.tulle.config.GatewayAttachments.Reason;
import dev.tulle.config.GatewayAttachments.Served;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What Gateway API's conditions say of one of its objects: of Gateways and ListenerSets by listener, of routes by parent.
 * Pure.
 *
 * @param conditions of the object as a whole; none of a route
 */
public record GatewayStatus(List<Condition> conditions, List<ListenerStatus> listeners, List<ParentStatus> parents) {
    public GatewayStatus {
        conditions = List.copyOf(conditions);
        listeners = List.copyOf(listeners);
        parents = List.copyOf(parents);
    }

    /**
     * One condition, in Gateway API's words.
     *
     * @param message why it does not hold; empty where it does
     */
    public record Condition(String type, boolean status, String reason, String message) {
        public Condition {
            message = VisibleText.line(message, message.length());
        }
    }

    /** A listener. */
    public record ListenerStatus(
            String name, String protocol, int port, String hostname, int attachedRoutes, List<Condition> conditions) {
        public ListenerStatus {
            conditions = List.copyOf(conditions);
        }
    }

    /** A route at one of its parents, which has whatever name its author wrote. */
    public record ParentStatus(String parent, List<Condition> conditions) {
        public ParentStatus {
            parent = VisibleText.line(parent, parent.length());
            conditions = List.copyOf(conditions);
        }
    }

    private static final Map<String, String> UNRESOLVED = Map.of(
            Warning.NOT_GRANTED.code(), "RefNotPermitted",
            Warning.NO_DESTINATION.code(), "BackendNotFound",
            Warning.NO_DESTINATION_PORT.code(), "BackendNotFound");

    /** True for an object that may have one. */
    public static boolean isOf(ConfigResource resource) {
        return resource instanceof ApiGateway
                || resource instanceof ListenerSet
                || resource instanceof HttpRoute
                || resource instanceof TcpRoute;
    }

    /**
     * The status of every object of Gateway API that has one.
     *
     * @param problems what is wrong of configuration and of what is made from it
     */
    public static Map<ResourceKey, GatewayStatus> of(ConfigSnapshot config, List<Problem> problems) {
        GatewayAttachments all = GatewayAttachments.of(config, new EdgeClaims(config), new ArrayList<>());
        Map<ResourceKey, GatewayStatus> out = new HashMap<>();
        config.apiGateways()
                .forEach(gateway ->
                        out.put(gateway.key(), ofListeners(all.listenersOf(gateway.key()), Optional.empty())));
        config.listenerSets()
                .forEach(set -> out.put(set.key(), ofListeners(all.listenersOf(set.key()), all.refused(set))));
        Map<ResourceKey, List<Outcome>> routes = new LinkedHashMap<>();
        all.outcomes().forEach(outcome -> routes.computeIfAbsent(outcome.route().key(), _ -> new ArrayList<>())
                .add(outcome));
        Map<String, Problem> unresolved = new HashMap<>();
        for (Problem problem : problems) {
            if (UNRESOLVED.containsKey(problem.code())) {
                unresolved.putIfAbsent(problem.resource(), problem);
            }
        }
        routes.forEach((key, outcomes) -> {
            Condition resolved = resolved(Optional.ofNullable(unresolved.get(key.toString())));
            List<ParentStatus> parents = outcomes.stream()
                    .map(outcome -> new ParentStatus(
                            outcome.parent().toString(),
                            List.of(condition("Accepted", "Accepted", outcome.refused()), resolved)))
                    .toList();
            out.put(key, new GatewayStatus(List.of(), List.of(), parents));
        });
        return out;
    }

    private static Condition condition(String type, String reason, Optional<Reason> refused) {
        return new Condition(
                type,
                refused.isEmpty(),
                refused.map(Reason::word).orElse(reason),
                refused.map(Reason::message).orElse(""));
    }

    private static GatewayStatus ofListeners(List<Served> served, Optional<Reason> refused) {
        Optional<Reason> none = refused.or(() -> served.stream().allMatch(one -> !one.conflict.isEmpty())
                ? Optional.of(new Reason("ListenersNotValid", "no listener of it is served"))
                : Optional.empty());
        return new GatewayStatus(
                List.of(condition("Accepted", "Accepted", none), condition("Programmed", "Programmed", none)),
                served.stream().map(GatewayStatus::of).toList(),
                List.of());
    }

    private static ListenerStatus of(Served served) {
        ApiListener listener = served.listener;
        Optional<Reason> conflict = served.conflict.isEmpty()
                ? Optional.empty()
                : Optional.of(new Reason("PortUnavailable", served.conflict));
        boolean closed = listener.protocol() == IstioGateway.Protocol.TCP && served.routes.isEmpty();
        Optional<Reason> unserved = conflict.or(() -> closed
                ? Optional.of(new Reason("Pending", "no TCPRoute says where connections go: the port is closed"))
                : Optional.empty());
        return new ListenerStatus(
                listener.name(),
                listener.protocol().name(),
                listener.port(),
                listener.hostname(),
                served.routes.size(),
                List.of(
                        condition("Accepted", "Accepted", conflict),
                        condition("ResolvedRefs", "ResolvedRefs", Optional.empty()),
                        condition("Programmed", "Programmed", unserved)));
    }

    private static Condition resolved(Optional<Problem> unresolved) {
        return condition(
                "ResolvedRefs",
                "ResolvedRefs",
                unresolved.map(problem -> new Reason(
                        UNRESOLVED.getOrDefault(problem.code(), ""), problem.field() + ": " + problem.message())));
    }
}
