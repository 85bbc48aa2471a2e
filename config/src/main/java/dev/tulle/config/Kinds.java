package dev.tulle.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The kinds that can be read, and the well-known ones that cannot. */
final class Kinds {
    /** Decodes the rest of a document whose outer part is right. */
    @FunctionalInterface
    interface Decoder {
        ConfigResource decode(Manifest manifest, Fields document);
    }

    /**
     * A kind.
     *
     * @param name what its resources are known by: the kind as it is written, with its group where another kind is written
     *     alike
     * @param written the kind as it is written
     * @param namespaced false where its objects are in no namespace
     */
    record Kind(String name, String written, List<String> apiVersions, boolean namespaced, Decoder decoder) {
        Kind(String name, List<String> apiVersions, Decoder decoder) {
            this(name, name, apiVersions, true, decoder);
        }
    }

    /** The group of Gateway API. */
    static final String GATEWAY_API = "gateway.networking.k8s.io";

    /** Gateway API's Gateway; the other one is Istio's, which was here first and has the short name. */
    static final String API_GATEWAY = "Gateway." + GATEWAY_API;

    private static final List<String> ISTIO =
            List.of("networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3");

    private static final List<Kind> ALL = List.of(
            new Kind("Service", List.of("v1"), ServiceDecoder::decode),
            new Kind("Secret", List.of("v1"), SecretDecoder::decode),
            new Kind(
                    KubernetesNamespace.KIND,
                    KubernetesNamespace.KIND,
                    List.of("v1"),
                    false,
                    KubernetesNamespace::decode),
            new Kind("VirtualService", ISTIO, VirtualServiceDecoder::decode),
            new Kind("DestinationRule", ISTIO, DestinationRuleDecoder::decode),
            new Kind("ServiceEntry", ISTIO, ServiceEntryDecoder::decode),
            new Kind("WorkloadEntry", ISTIO, ServiceEntryDecoder::decodeWorkloadEntry),
            new Kind(
                    "AuthorizationPolicy",
                    List.of("security.istio.io/v1", "security.istio.io/v1beta1"),
                    AuthorizationDecoder::decode),
            new Kind("Gateway", ISTIO, GatewayDecoder::decode),
            new Kind(API_GATEWAY, "Gateway", gatewayApi("v1", "v1beta1"), true, ApiGatewayDecoder::decode),
            new Kind(
                    GatewayClass.KIND,
                    GatewayClass.KIND,
                    gatewayApi("v1", "v1beta1"),
                    false,
                    ApiGatewayDecoder::decodeClass),
            new Kind("ListenerSet", gatewayApi("v1"), ApiGatewayDecoder::decodeSet),
            new Kind("HTTPRoute", gatewayApi("v1", "v1beta1"), HttpRouteDecoder::decode),
            new Kind(HttpRoute.GRPC, gatewayApi("v1", "v1alpha2"), HttpRouteDecoder::decode),
            new Kind("TCPRoute", gatewayApi("v1", "v1alpha2"), TcpRouteDecoder::decode),
            new Kind("ReferenceGrant", gatewayApi("v1", "v1beta1"), ReferenceGrant::decode));

    /** By the kind as it is written. */
    private static final Map<String, List<Kind>> KINDS =
            ALL.stream().collect(Collectors.groupingBy(Kind::written, TreeMap::new, Collectors.toUnmodifiableList()));

    private static List<String> gatewayApi(String... versions) {
        return Stream.of(versions).map(version -> GATEWAY_API + "/" + version).toList();
    }

    /** Kinds that people will try, which have a meaning that this version cannot honour. */
    private static final List<String> UNSUPPORTED = List.of(
            "BackendTLSPolicy",
            "CiliumNetworkPolicy",
            "EndpointSlice",
            "Endpoints",
            "EnvoyFilter",
            "Ingress",
            "NetworkPolicy",
            "PeerAuthentication",
            "ProxyConfig",
            "RequestAuthentication",
            "Sidecar",
            "TLSRoute",
            "Telemetry",
            "TrafficExtension",
            "UDPRoute",
            "WasmPlugin",
            "WorkloadGroup",
            "XBackendTrafficPolicy",
            "XListenerSet",
            "XMesh");

    /** Kinds of Kubernetes' core group that say nothing to a mesh. */
    private static final Set<String> CORE = Set.of(
            "ConfigMap",
            "Event",
            "LimitRange",
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
        List<Kind> written = KINDS.getOrDefault(name, List.of());
        if (written.isEmpty()) {
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
        Optional<Kind> found = written.stream()
                .filter(kind -> kind.apiVersions().contains(apiVersion))
                .findFirst();
        if (found.isEmpty() && !apiVersion.isEmpty()) {
            List<String> versions = written.stream()
                    .flatMap(kind -> kind.apiVersions().stream())
                    .toList();
            document.error(
                    "apiVersion", "one of " + String.join(", ", versions), "unknown apiVersion of the kind " + name);
        }
        return found;
    }

    /** What the resources of a kind are known by, where its group and version are not known the kind as it is written. */
    static String nameOf(String apiVersion, String kind) {
        return KINDS.getOrDefault(kind, List.of()).stream()
                .filter(known -> known.apiVersions().contains(apiVersion))
                .findFirst()
                .map(Kind::name)
                .orElse(kind);
    }

    /** A kind as it is written, of what its resources are known by. */
    static String written(String name) {
        return ALL.stream()
                .filter(kind -> kind.name().equals(name))
                .findFirst()
                .map(Kind::written)
                .orElse(name);
    }

    /** True for what resources of a kind of Gateway API are known by. */
    static boolean isOfGatewayApi(String name) {
        return ALL.stream()
                .anyMatch(kind -> kind.name().equals(name)
                        && kind.apiVersions().getFirst().startsWith(GATEWAY_API + "/"));
    }

    /** False for a kind whose objects are in no namespace. */
    static boolean isNamespaced(String kind) {
        return KINDS.getOrDefault(kind, List.of()).stream().allMatch(Kind::namespaced);
    }

    /** The kinds that a word of a user means: a kind, or KIND.GROUP. */
    static List<Kind> meant(String word) {
        return ALL.stream()
                .filter(kind -> kind.written().equalsIgnoreCase(word)
                        || kind.apiVersions().stream()
                                .anyMatch(version -> version.indexOf('/') > 0
                                        && word.equalsIgnoreCase(
                                                kind.written() + "." + version.substring(0, version.indexOf('/')))))
                .toList();
    }
}
