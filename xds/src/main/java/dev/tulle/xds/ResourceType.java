package dev.tulle.xds;

import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.Listener;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.Secret;
import dev.tulle.model.Service;
import dev.tulle.model.Workload;
import java.util.List;

/**
 * A kind of resource that travels over xDS, with the model type that it decodes to. The constants are the only
 * instances.
 *
 * @param <T> the model type
 */
public final class ResourceType<T> {
    /** Clusters, named {@code outbound|port|subset|hostname}. */
    public static final ResourceType<Cluster> CLUSTER =
            new ResourceType<>("cluster", "cds", "type.googleapis.com/envoy.config.cluster.v3.Cluster", Cluster.class);

    /** The endpoints of a cluster, by the cluster's name. */
    public static final ResourceType<EndpointSet> ENDPOINTS = new ResourceType<>(
            "endpoints",
            "eds",
            "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            EndpointSet.class);

    /** Listeners, named {@code address_port} ({@link Listener#nameOf}). */
    public static final ResourceType<Listener> LISTENER = new ResourceType<>(
            "listener", "lds", "type.googleapis.com/envoy.config.listener.v3.Listener", Listener.class);

    /** Route configurations, named {@code hostname:port}. */
    public static final ResourceType<RouteConfiguration> ROUTE = new ResourceType<>(
            "route", "rds", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", RouteConfiguration.class);

    /** The type that services and workloads share on the wire. */
    static final String ADDRESS_URL = "type.googleapis.com/istio.workload.Address";

    /** Services, named {@code namespace/hostname} or, by any of their addresses, {@code network/address}. */
    public static final ResourceType<Service> SERVICE =
            new ResourceType<>("service", "wds", ADDRESS_URL, Service.class);

    /** Workloads, named by uid or, by any of their addresses, {@code network/address}. */
    public static final ResourceType<Workload> WORKLOAD =
            new ResourceType<>("workload", "wds", ADDRESS_URL, Workload.class);

    /** Authorization policies, named {@code namespace/name}; a workload says which apply to it. */
    public static final ResourceType<AuthorizationPolicy> AUTHORIZATION = new ResourceType<>(
            "authorization", "authz", "type.googleapis.com/istio.security.Authorization", AuthorizationPolicy.class);

    /**
     * Certificates with their keys, named by the identity, and the roots ({@link Secret#ROOTS}): what a node's agent gives
     * to its proxy. The control plane has none.
     */
    public static final ResourceType<Secret> SECRET = new ResourceType<>(
            "secret", "sds", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", Secret.class);

    private static final List<ResourceType<?>> ALL =
            List.of(CLUSTER, ENDPOINTS, LISTENER, ROUTE, AUTHORIZATION, SERVICE, WORKLOAD, SECRET);

    private final String label;
    private final String shortName;
    private final String typeUrl;
    private final Class<T> modelType;

    private ResourceType(String label, String shortName, String typeUrl, Class<T> modelType) {
        this.label = label;
        this.shortName = shortName;
        this.typeUrl = typeUrl;
        this.modelType = modelType;
    }

    /** All types, in the order in which a server sends them: clusters before what refers to them. */
    public static List<ResourceType<?>> all() {
        return ALL;
    }

    /** Envoy's abbreviation for a type URL; the URL itself for a type that is not one of these. */
    static String shortNameOf(String typeUrl) {
        for (ResourceType<?> type : ALL) {
            if (type.typeUrl.equals(typeUrl)) {
                return type.shortName;
            }
        }
        return typeUrl;
    }

    /** The name of a service or workload by one of its addresses; the mesh's one network has the empty name. */
    public static String nameOfAddress(String address) {
        return "/" + address;
    }

    /** The name of a service. */
    public static String nameOfService(String namespace, String hostname) {
        return namespace + "/" + hostname;
    }

    /** One word for people and metrics, for example {@code route}. */
    public String label() {
        return label;
    }

    /** Envoy's abbreviation of the discovery service, for example {@code rds}. */
    public String shortName() {
        return shortName;
    }

    /** The protobuf type URL on the wire. */
    public String typeUrl() {
        return typeUrl;
    }

    /** The model type. */
    public Class<T> modelType() {
        return modelType;
    }

    @Override
    public String toString() {
        return label;
    }
}
