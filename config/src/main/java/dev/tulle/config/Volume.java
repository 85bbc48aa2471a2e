package dev.tulle.config;

import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.StringMatch;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** How much there may be of everything that is in force together, and how much of it a resource is. Pure. */
final class Volume {
    /** Resources in force. */
    static final int MAX_RESOURCES = 20_000;

    /** Regular expressions in force: each has a table in the proxies that use it. */
    static final int MAX_REGEXES = 500;

    /**
     * Values (texts, numbers, and the maps and lists that hold them) in all documents in force: what is made of them, twice while one
     * state follows another, has to fit into the control plane's memory.
     */
    static final int MAX_VALUES = 400_000;

    private Volume() {}

    /** The values of a resource's document. */
    static int values(ConfigResource resource) {
        return ofTree(resource.manifest().content());
    }

    private static int ofTree(@Nullable Object value) {
        int count = 1;
        if (value instanceof Map<?, ?> map) {
            for (Object one : map.values()) {
                count += ofTree(one);
            }
        } else if (value instanceof List<?> list) {
            for (Object one : list) {
                count += ofTree(one);
            }
        }
        return count;
    }

    /** The regular expressions of a resource. */
    static int regexes(ConfigResource resource) {
        return switch (resource) {
            case VirtualService service -> ofRules(service.http());
            case HttpRoute route -> ofRules(route.rules());
            case KubernetesService _,
                    ServiceEntry _,
                    WorkloadEntry _,
                    DestinationRule _,
                    IstioAuthorization _,
                    IstioGateway _,
                    ApiGateway _,
                    ListenerSet _,
                    GatewayClass _,
                    TcpRoute _,
                    ReferenceGrant _,
                    KubernetesNamespace _,
                    Secret _ -> 0;
        };
    }

    private static int ofRules(List<HttpRule> rules) {
        int count = 0;
        for (HttpRule rule : rules) {
            for (HttpRule.Match match : rule.matches()) {
                count += ofMatch(match.route());
            }
            boolean replaces = rule.action() instanceof HttpRule.Action.Forward forward
                    && forward.rewrite().path().orElse(null) instanceof PathRewrite.Regex;
            count += replaces ? 1 : 0;
        }
        return count;
    }

    private static int ofMatch(RouteMatch match) {
        Stream<StringMatch> texts = Stream.of(match.headers().stream(), match.queryParams().stream())
                .flatMap(named -> named)
                .map(RouteMatch.Named::match);
        long count = Stream.concat(match.method().stream(), texts)
                .filter(StringMatch.Regex.class::isInstance)
                .count();
        return (int) count + (match.path() instanceof PathMatch.Regex ? 1 : 0);
    }
}
