package dev.tulle.control;

import dev.tulle.config.ResourceKey;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Route;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import dev.tulle.xds.Refusal;
import dev.tulle.xds.ResourceType;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Which of the things that are distributed belong to some configuration objects, or to a change. Pure. */
final class Concern {
    private Concern() {}

    /** What is made from any of these objects. */
    static Predicate<Refusal> of(Set<ResourceKey> objects, MeshState state) {
        return refusal -> origins(refusal, state).anyMatch(origin -> objects.contains(ResourceKey.of(origin)));
    }

    /** What a change made, changed or took away. */
    static Predicate<Refusal> of(MeshState before, MeshState after) {
        return refusal -> {
            boolean addresses = refusal.type().equals(ResourceType.SERVICE.typeUrl());
            return !Objects.equals(value(refusal, before), value(refusal, after))
                    || (addresses
                            && !Objects.equals(
                                    before.workloads().get(refusal.name()),
                                    after.workloads().get(refusal.name())));
        };
    }

    private static @Nullable Object value(Refusal refusal, MeshState state) {
        return map(refusal.type(), state).get(refusal.name());
    }

    private static Map<String, ?> map(String type, MeshState state) {
        if (type.equals(ResourceType.CLUSTER.typeUrl())) {
            return state.clusters();
        } else if (type.equals(ResourceType.ENDPOINTS.typeUrl())) {
            return state.endpoints();
        } else if (type.equals(ResourceType.LISTENER.typeUrl())) {
            return state.listeners();
        } else if (type.equals(ResourceType.ROUTE.typeUrl())) {
            return state.routes();
        } else if (type.equals(ResourceType.AUTHORIZATION.typeUrl())) {
            return state.policies();
        }
        return type.equals(ResourceType.SERVICE.typeUrl()) ? state.services() : Map.of();
    }

    /** The objects that a resource is made from, as far as the state tells. */
    private static Stream<ResourceRef> origins(Refusal refusal, MeshState state) {
        return switch (value(refusal, state)) {
            case null ->
                Stream.ofNullable(state.workloads().get(refusal.name())).flatMap(Concern::origins);
            case EndpointSet _ ->
                Stream.ofNullable(state.clusters().get(refusal.name())).flatMap(Concern::origins);
            case Listener listener
            when listener.target() instanceof Listener.Target.Edge edge ->
                edge.chains().stream().map(Listener.Target.Chain::origin);
            case Listener listener ->
                state.services().values().stream()
                        .filter(service -> service.hostname().equals(listener.hostname()))
                        .map(Service::origin);
            case Object made -> origins(made);
        };
    }

    private static Stream<ResourceRef> origins(Object made) {
        return switch (made) {
            case Cluster cluster -> Stream.of(cluster.origin());
            case RouteConfiguration routes ->
                routes.virtualHosts().stream()
                        .flatMap(host -> host.routes().stream())
                        .map(Route::origin);
            case AuthorizationPolicy policy -> Stream.of(policy.origin());
            case Service service -> Stream.of(service.origin());
            case Workload workload -> Stream.of(workload.origin());
            default -> Stream.empty();
        };
    }
}
