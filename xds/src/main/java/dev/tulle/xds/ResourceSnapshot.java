package dev.tulle.xds;

import dev.tulle.model.MeshState;
import dev.tulle.model.Secret;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Everything that can be sent at one moment. Immutable; the next one shares what did not change.
 *
 * @param number counts up with each snapshot of this process
 * @param state the state it was encoded from
 * @param endpoints the endpoints as they look from each place
 * @param refused why a resource could not be encoded, by {@code type name}
 */
record ResourceSnapshot(
        long number,
        MeshState state,
        Map<String, ResourceTable> tables,
        EndpointViews endpoints,
        Map<String, String> refused) {
    static final ResourceSnapshot NONE =
            new ResourceSnapshot(0, MeshState.EMPTY, Map.of(), EndpointViews.NONE, Map.of());

    ResourceSnapshot {
        tables = Map.copyOf(tables);
    }

    /** The resources of a type as a client gets them. */
    ResourceTable table(String typeUrl, NodeIdentity client) {
        return typeUrl.equals(ResourceType.ENDPOINTS.typeUrl()) ? endpoints.of(client.locality(state)) : table(typeUrl);
    }

    private ResourceTable table(String typeUrl) {
        return tables.getOrDefault(typeUrl, ResourceTable.EMPTY);
    }

    /** The snapshot of a new state. */
    ResourceSnapshot next(MeshState next) {
        Map<String, ResourceTable> made = new HashMap<>();
        Map<String, String> problems = new TreeMap<>();
        made.put(ResourceType.CLUSTER.typeUrl(), plain(ResourceType.CLUSTER, next.clusters(), problems));
        ResourceTable sets = plain(ResourceType.ENDPOINTS, next.endpoints(), problems);
        made.put(ResourceType.ENDPOINTS.typeUrl(), sets);
        made.put(ResourceType.LISTENER.typeUrl(), plain(ResourceType.LISTENER, next.listeners(), problems));
        made.put(ResourceType.ROUTE.typeUrl(), plain(ResourceType.ROUTE, next.routes(), problems));
        made.put(ResourceType.AUTHORIZATION.typeUrl(), plain(ResourceType.AUTHORIZATION, next.policies(), problems));
        ResourceTable.Builder addresses = new ResourceTable.Builder(table(ResourceType.ADDRESS_URL));
        addresses.add(
                next.services(),
                (Service service) -> aliases(service.addresses()),
                (name, reason) -> problems.put("service " + name, reason));
        addresses.add(
                next.workloads(),
                (Workload workload) -> aliases(workload.addresses()),
                (name, reason) -> problems.put("workload " + name, reason));
        made.put(ResourceType.ADDRESS_URL, addresses.build());
        return new ResourceSnapshot(number + 1, next, made, endpoints.next(sets), Map.copyOf(problems));
    }

    /**
     * The snapshot of a server that has secrets and nothing else.
     *
     * @param awaited names of which it is not known yet whether they are somebody's
     */
    ResourceSnapshot next(Map<String, Secret> secrets, Set<String> awaited) {
        Map<String, String> problems = new TreeMap<>();
        ResourceTable.Builder table = new ResourceTable.Builder(table(ResourceType.SECRET.typeUrl()));
        table.add(secrets, _ -> List.of(), (name, reason) -> problems.put("secret " + name, reason));
        table.await(awaited);
        return new ResourceSnapshot(
                number + 1, state, Map.of(ResourceType.SECRET.typeUrl(), table.build()), endpoints, problems);
    }

    private <T> ResourceTable plain(ResourceType<T> type, Map<String, T> values, Map<String, String> problems) {
        ResourceTable.Builder table = new ResourceTable.Builder(table(type.typeUrl()));
        table.add(values, value -> List.of(), (name, reason) -> problems.put(type.label() + " " + name, reason));
        return table.build();
    }

    private static List<String> aliases(List<String> addresses) {
        return addresses.stream().map(ResourceType::nameOfAddress).toList();
    }
}
