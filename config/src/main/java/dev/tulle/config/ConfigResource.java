package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.util.Comparator;
import java.util.Map;

/** A resource that was read and found right by itself; immutable. */
public sealed interface ConfigResource
        permits ApiGateway,
                DestinationRule,
                GatewayClass,
                HttpRoute,
                IstioAuthorization,
                IstioGateway,
                KubernetesNamespace,
                KubernetesService,
                ListenerSet,
                ReferenceGrant,
                Secret,
                ServiceEntry,
                TcpRoute,
                VirtualService,
                WorkloadEntry {
    /** As Istio orders objects of which only one can be in force; one that does not say when it was made comes first. */
    Comparator<ConfigResource> OLDEST_FIRST = Comparator.<ConfigResource, java.time.Instant>comparing(
                    resource -> resource.manifest().created())
            .thenComparing(ConfigResource::name)
            .thenComparing(ConfigResource::namespace);

    /** As Gateway API orders its own. */
    Comparator<ConfigResource> GATEWAY_API_ORDER = Comparator.<ConfigResource, java.time.Instant>comparing(
                    resource -> resource.manifest().created())
            .thenComparing(ConfigResource::namespace)
            .thenComparing(ConfigResource::name);

    /** The outer part and the document. */
    Manifest manifest();

    /** The document as people may see it. */
    default Map<String, Object> shown() {
        return manifest().content();
    }

    /** Kind, namespace, name and place. */
    default ResourceRef ref() {
        return manifest().ref();
    }

    /** The namespace. */
    default String namespace() {
        return ref().namespace();
    }

    /** The name. */
    default String name() {
        return ref().name();
    }

    /** What makes it one and the same over time and files. */
    default ResourceKey key() {
        return ResourceKey.of(ref());
    }
}
