package dev.tulle.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** The kinds that can be read, and the well-known ones that cannot. */
final class Kinds {
    /** Decodes the rest of a document whose outer part is right. */
    @FunctionalInterface
    interface Decoder {
        ConfigResource decode(Manifest manifest, Fields document);
    }

    record Kind(String name, List<String> apiVersions, Decoder decoder) {}

    private static final List<String> ISTIO =
            List.of("networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3");

    private static final Map<String, Kind> KINDS = new TreeMap<>(Map.of(
            "Service", new Kind("Service", List.of("v1"), ServiceDecoder::decode),
            "Secret", new Kind("Secret", List.of("v1"), SecretDecoder::decode),
            "VirtualService", new Kind("VirtualService", ISTIO, VirtualServiceDecoder::decode),
            "DestinationRule", new Kind("DestinationRule", ISTIO, DestinationRuleDecoder::decode),
            "ServiceEntry", new Kind("ServiceEntry", ISTIO, ServiceEntryDecoder::decode),
            "WorkloadEntry", new Kind("WorkloadEntry", ISTIO, ServiceEntryDecoder::decodeWorkloadEntry),
            "AuthorizationPolicy",
                    new Kind(
                            "AuthorizationPolicy",
                            List.of("security.istio.io/v1", "security.istio.io/v1beta1"),
                            AuthorizationDecoder::decode),
            "Gateway", new Kind("Gateway", ISTIO, GatewayDecoder::decode),
            "HTTPRoute",
                    new Kind(
                            "HTTPRoute",
                            List.of("gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"),
                            HttpRouteDecoder::decode)));

    /** Kinds that people will try, which have a meaning that this version cannot honour. */
    private static final List<String> UNSUPPORTED = List.of(
            "BackendTLSPolicy",
            "CiliumNetworkPolicy",
            "EndpointSlice",
            "Endpoints",
            "EnvoyFilter",
            "GRPCRoute",
            "GatewayClass",
            "Ingress",
            "NetworkPolicy",
            "PeerAuthentication",
            "ProxyConfig",
            "ReferenceGrant",
            "RequestAuthentication",
            "Sidecar",
            "TCPRoute",
            "TLSRoute",
            "Telemetry",
            "TrafficExtension",
            "UDPRoute",
            "WasmPlugin",
            "WorkloadGroup");

    /** Kinds of Kubernetes' core group that say nothing to a mesh. */
    private static final Set<String> CORE = Set.of(
            "ConfigMap",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "ServiceAccount");

    /** Kubernetes' other groups that say nothing to a mesh. */
    private static final Set<String> GROUPS = Set.of(
            "admissionregistration.k8s.io",
            "apiextensions.k8s.io",
            "apiregistration.k8s.io",
            "apps",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "autoscaling",
            "batch",
            "certificates.k8s.io",
            "coordination.k8s.io",
            "events.k8s.io",
            "flowcontrol.apiserver.k8s.io",
            "metrics.k8s.io",
            "node.k8s.io",
            "policy",
            "rbac.authorization.k8s.io",
            "resource.k8s.io",
            "scheduling.k8s.io",
            "storage.k8s.io");

    private Kinds() {}

    /** True for what stands beside a mesh's objects in a whole {@code kubectl apply} file and does not concern it. */
    static boolean isPassedOver(String apiVersion, String kind) {
        int slash = apiVersion.indexOf('/');
        return slash < 0
                ? apiVersion.equals("v1") && CORE.contains(kind)
                : GROUPS.contains(apiVersion.substring(0, slash)) && !KINDS.containsKey(kind);
    }

    /** The names of the kinds that can be read. */
    static List<String> names() {
        return List.copyOf(KINDS.keySet());
    }

    /** Finds the kind, or reports why there is none. */
    static Optional<Kind> find(Fields document, String apiVersion, String name) {
        Kind kind = KINDS.get(name);
        if (kind == null) {
            String expected = "one of " + String.join(", ", names());
            if (name.equals("RouteRule") || name.equals("DestinationPolicy")) {
                document.error("kind", expected, "a kind of 2018; 'tulle convert' turns RouteRule into today's kinds");
            } else if (UNSUPPORTED.contains(name)) {
                document.error("kind", expected, "this kind is not supported by this version of Tulle");
            } else {
                String guess = Words.nearest(name, KINDS.keySet())
                        .map(word -> ", did you mean '" + word + "'?")
                        .orElse("");
                document.error("kind", expected, "unknown kind" + guess);
            }
            return Optional.empty();
        }
        if (!kind.apiVersions().contains(apiVersion)) {
            if (!apiVersion.isEmpty()) {
                document.error(
                        "apiVersion",
                        "one of " + String.join(", ", kind.apiVersions()),
                        "unknown apiVersion of the kind " + name);
            }
            return Optional.empty();
        }
        return Optional.of(kind);
    }
}
