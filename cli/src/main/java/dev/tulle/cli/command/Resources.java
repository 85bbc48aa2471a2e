package dev.tulle.cli.command;

import dev.tulle.cli.client.CommandFailure;
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
     * The kind as manifests spell it.
     *
     * @throws CommandFailure with status 2 for one that there is not
     */
    static String kind(String given) {
        String kind = KINDS.get(given.toLowerCase(Locale.ROOT));
        if (kind == null) {
            throw new CommandFailure(
                    CommandFailure.USAGE,
                    "unknown kind '" + given + "': expected one of "
                            + String.join(", ", new TreeSet<>(KINDS.values())));
        }
        return kind;
    }
}
