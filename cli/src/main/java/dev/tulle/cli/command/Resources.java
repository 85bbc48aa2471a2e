package dev.tulle.cli.command;

import dev.tulle.cli.client.CommandFailure;
import dev.tulle.config.KindNames;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/** The names under which a kind of resource may be given on the command line. */
final class Resources {
    private static final Map<String, String> KINDS = Map.ofEntries(
            Map.entry("virtualservice", "VirtualService"),
            Map.entry("virtualservices", "VirtualService"),
            Map.entry("vs", "VirtualService"),
            Map.entry("destinationrule", "DestinationRule"),
            Map.entry("destinationrules", "DestinationRule"),
            Map.entry("dr", "DestinationRule"),
            Map.entry("serviceentry", "ServiceEntry"),
            Map.entry("serviceentries", "ServiceEntry"),
            Map.entry("se", "ServiceEntry"),
            Map.entry("workloadentry", "WorkloadEntry"),
            Map.entry("workloadentries", "WorkloadEntry"),
            Map.entry("we", "WorkloadEntry"),
            Map.entry("authorizationpolicy", "AuthorizationPolicy"),
            Map.entry("authorizationpolicies", "AuthorizationPolicy"),
            Map.entry("ap", "AuthorizationPolicy"),
            Map.entry("httproute", "HTTPRoute"),
            Map.entry("grpcroute", "GRPCRoute"),
            Map.entry("grpcroutes", "GRPCRoute"),
            Map.entry("tcproute", "TCPRoute"),
            Map.entry("tcproutes", "TCPRoute"),
            Map.entry("gatewayclass", "GatewayClass"),
            Map.entry("gatewayclasses", "GatewayClass"),
            Map.entry("gc", "GatewayClass"),
            Map.entry("listenerset", "ListenerSet"),
            Map.entry("listenersets", "ListenerSet"),
            Map.entry("lset", "ListenerSet"),
            Map.entry("referencegrant", "ReferenceGrant"),
            Map.entry("referencegrants", "ReferenceGrant"),
            Map.entry("refgrant", "ReferenceGrant"),
            Map.entry("namespace", "Namespace"),
            Map.entry("namespaces", "Namespace"),
            Map.entry("ns", "Namespace"),
            Map.entry("gw", "Gateway"),
            Map.entry("gateway", "Gateway"),
            Map.entry("gateways", "Gateway"),
            Map.entry("httproutes", "HTTPRoute"),
            Map.entry("secret", "Secret"),
            Map.entry("secrets", "Secret"),
            Map.entry("service", "Service"),
            Map.entry("services", "Service"),
            Map.entry("svc", "Service"));

    private Resources() {}

    /**
     * The kind as manifests spell it, with its group where one was given: {@code gateways.gateway.networking.k8s.io} is
     * {@code Gateway.gateway.networking.k8s.io}.
     *
     * @throws CommandFailure with status 2 for one that there is not
     */
    static String kind(String given) {
        int dot = given.indexOf('.');
        String group = dot < 0 ? "" : given.substring(dot).toLowerCase(Locale.ROOT);
        String written =
                KINDS.get(given.substring(0, given.length() - group.length()).toLowerCase(Locale.ROOT));
        if (written == null || KindNames.meant(written + group).isEmpty()) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "unknown kind '" + given + "': expected one of "
                            + String.join(", ", new TreeSet<>(KINDS.values()))
                            + ", or KIND.GROUP, such as gateways.networking.istio.io");
        }
        return written + group;
    }
}
