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
            Warning.NO_DESTINATION_PORT.code(), "BackendNotFound",
            Warning.NO_SECRET.code(), "InvalidCertificateRef");

    /** What references lead to nothing, by the object that has them and also by their places in it. */
    private record Unresolved(Map<String, Problem> problems) {
        static Unresolved of(List<Problem> problems) {
            Map<String, Problem> all = new HashMap<>();
            for (Problem problem : problems) {
                if (UNRESOLVED.containsKey(problem.code())) {
                    all.putIfAbsent(problem.resource(), problem);
                    all.putIfAbsent(problem.resource() + " " + problem.field(), problem);
                }
            }
            return new Unresolved(all);
        }

        Optional<Reason> of(ResourceKey object) {
            return reason(object.toString());
        }

        Optional<Reason> of(Served served) {
            return served.listener.tls() instanceof ServerTls.Referenced referenced
                    ? reason(served.owner.key() + " " + referenced.position().field())
                    : Optional.empty();
        }

        private Optional<Reason> reason(String place) {
            return Optional.ofNullable(problems.get(place))
                    .map(problem -> new Reason(
                            UNRESOLVED.getOrDefault(problem.code(), ""), problem.field() + ": " + problem.message()));
        }
    }

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
        Unresolved unresolved = Unresolved.of(problems);
        Map<ResourceKey, GatewayStatus> out = new HashMap<>();
        config.apiGateways()
                .forEach(gateway -> out.put(
                        gateway.key(), ofListeners(all.listenersOf(gateway.key()), Optional.empty(), unresolved)));
        config.listenerSets()
                .forEach(set ->
                        out.put(set.key(), ofListeners(all.listenersOf(set.key()), all.refused(set), unresolved)));
        Map<ResourceKey, List<Outcome>> routes = new LinkedHashMap<>();
        all.outcomes().forEach(outcome -> routes.computeIfAbsent(outcome.route().key(), _ -> new ArrayList<>())
                .add(outcome));
        routes.forEach((key, outcomes) -> {
            Condition resolved = condition("ResolvedRefs", "ResolvedRefs", unresolved.of(key));
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

    private static GatewayStatus ofListeners(List<Served> served, Optional<Reason> refused, Unresolved unresolved) {
        Optional<Reason> none = refused.or(() -> served.stream().allMatch(one -> !one.conflict.isEmpty())
                ? Optional.of(new Reason("ListenersNotValid", "no listener of it is served"))
                : Optional.empty());
        Optional<Reason> unserved = none.or(() -> served.stream()
                        .allMatch(one ->
                                !one.conflict.isEmpty() || unresolved.of(one).isPresent())
                ? Optional.of(new Reason("Invalid", "no listener of it is served"))
                : Optional.empty());
        return new GatewayStatus(
                List.of(condition("Accepted", "Accepted", none), condition("Programmed", "Programmed", unserved)),
                served.stream().map(one -> of(one, unresolved)).toList(),
                List.of());
    }

    private static ListenerStatus of(Served served, Unresolved all) {
        ApiListener listener = served.listener;
        Optional<Reason> conflict = served.conflict.isEmpty()
                ? Optional.empty()
                : Optional.of(new Reason("PortUnavailable", served.conflict));
        Optional<Reason> unresolved = all.of(served);
        boolean closed = listener.protocol() == IstioGateway.Protocol.TCP && served.routes.isEmpty();
        Optional<Reason> unserved = conflict.or(() -> unresolved.map(why -> new Reason("Invalid", why.message())))
                .or(() -> closed
                        ? Optional.of(
                                new Reason("Pending", "no TCPRoute says where connections go: the port is closed"))
                        : Optional.empty());
        return new ListenerStatus(
                listener.name(),
                listener.protocol().name(),
                listener.port(),
                listener.hostname(),
                served.routes.size(),
                List.of(
                        condition("Accepted", "Accepted", conflict),
                        condition("ResolvedRefs", "ResolvedRefs", unresolved),
                        condition("Programmed", "Programmed", unserved)));
    }
}
