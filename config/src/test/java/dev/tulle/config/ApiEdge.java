package dev.tulle.config;

import dev.tulle.model.Listener;
import dev.tulle.model.RequestView;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/** An edge made of Gateway API's objects, and what it answers; shared by the tests of these. */
final class ApiEdge {
    static final String GROUP = "gateway.networking.k8s.io/v1";

    private final ConfigSnapshot config;
    private final Translation translation;

    /** With the Services a, b and c in the namespaces default and other, each with the port 8080. */
    ApiEdge(String... texts) {
        List<String> all = new ArrayList<>(List.of(texts));
        for (String namespace : List.of("default", "other")) {
            for (String name : List.of("a", "b", "c")) {
                all.add("""
                    apiVersion: v1
                    kind: Service
                    metadata: {name: %s, namespace: %s}
                    spec: {selector: {app: %1$s}, ports: [{name: http, port: 8080}]}
                    """.formatted(name, namespace));
            }
        }
        this.config = Fixtures.snapshot(all.toArray(String[]::new));
        this.translation = Translator.translate(config, List.of(), Map.of(), Fixtures.vips());
    }

    static String object(String kind, String metadata, String spec) {
        return "apiVersion: %s\nkind: %s\nmetadata: {%s}\nspec: {%s}\n".formatted(GROUP, kind, metadata, spec);
    }

    static String gateway(String metadata, String... listeners) {
        return object(
                "Gateway",
                metadata,
                "gatewayClassName: tulle, allowedListeners: {namespaces: {from: Same}}, listeners: ["
                        + String.join(", ", listeners) + "]");
    }

    static String listener(String name, int port, String protocol, String more) {
        return "{name: %s, port: %d, protocol: %s%s}"
                .formatted(name, port, protocol, more.isEmpty() ? "" : ", " + more);
    }

    /** An HTTPRoute with one rule for everything, which forwards to one of the Services. */
    static String route(String metadata, String parents, String hostnames, String backend) {
        return object(
                "HTTPRoute",
                metadata,
                "parentRefs: [%s], %srules: [{backendRefs: [{name: %s, port: 8080}]}]"
                        .formatted(parents, hostnames.isEmpty() ? "" : "hostnames: [" + hostnames + "], ", backend));
    }

    static String grant(String namespace, String kind, String from, String to) {
        return object(
                "ReferenceGrant",
                "name: g, namespace: " + namespace,
                "from: [{group: gateway.networking.k8s.io, kind: %s, namespace: %s}], to: [{group: '', kind: %s}]"
                        .formatted(kind, from, to));
    }

    /** The codes of what has no effect, without those about Services that have no workload. */
    List<String> warnings() {
        return translation.problems().stream().map(Problem::code).toList();
    }

    List<Problem> problems() {
        return translation.problems();
    }

    GatewayStatus status(String kind, String name) {
        return Optional.ofNullable(
                        GatewayStatus.of(config, translation.problems()).get(new ResourceKey(kind, "default", name)))
                .orElseThrow();
    }

    List<Listener.Target.Chain> chains() {
        Listener edge = translation.state().listeners().get(Listener.EDGE);
        return edge == null ? List.of() : ((Listener.Target.Edge) edge.target()).chains();
    }

    /** The chain of a port that callers get who ask for a name. */
    Listener.Target.Chain chain(int port, String name) {
        List<Listener.Target.Chain> all =
                chains().stream().filter(chain -> chain.port() == port).toList();
        return all.stream()
                .filter(chain -> Hosts.mostSpecific(chain.serverNames(), name).isPresent())
                .max((one, other) -> Integer.compare(
                        Hosts.mostSpecific(one.serverNames(), name)
                                .orElseThrow()
                                .length(),
                        Hosts.mostSpecific(other.serverNames(), name)
                                .orElseThrow()
                                .length()))
                .or(() -> all.stream()
                        .filter(chain -> chain.serverNames().isEmpty())
                        .findFirst())
                .orElseThrow();
    }

    /** Those of some clusters that there are all the same. */
    List<String> thereAre(List<String> clusters) {
        return clusters.stream()
                .filter(translation.state().clusters()::containsKey)
                .toList();
    }

    /** The cluster that connections to a port of a service get. */
    String bytes(String hostname, int port) {
        return translation.state().listeners().values().stream()
                .filter(listener -> listener.hostname().equals(hostname) && listener.port() == port)
                .map(listener -> ((Listener.Target.Tcp) listener.target())
                        .clusters()
                        .getFirst()
                        .cluster())
                .findFirst()
                .orElseThrow();
    }

    RouteConfiguration table(String name) {
        return Optional.ofNullable(translation.state().routes().get(name)).orElseThrow();
    }

    /** What a request gets: SERVICE or SERVICE.NAMESPACE, a status, or a redirect's status, scheme and port. */
    String answer(int port, String sni, Asked asked) {
        Listener.Target target = chain(port, sni).target();
        return answer(((Listener.Target.Http) target).routeConfiguration(), asked);
    }

    String answer(int port, Asked asked) {
        return answer(port, asked.authority(), asked);
    }

    /** The object and the rule that a request at a port of HTTP gets, without the number of a match; empty for 404. */
    String ruled(int port, Asked asked) {
        Route route = RouteTable.compile(table("http." + port))
                .decide(asked, new Random(1))
                .route();
        return route == null ? "" : route.origin().name() + " " + route.name().replaceAll("#.*", "");
    }

    String answer(String table, Asked asked) {
        Route route =
                RouteTable.compile(table(table)).decide(asked, new Random(1)).route();
        if (route == null) {
            return "404";
        }
        return switch (route.action()) {
            case RouteAction.DirectResponse direct -> Integer.toString(direct.status());
            case RouteAction.Redirect redirect ->
                redirect.status() + " " + redirect.scheme().orElse("-") + " "
                        + redirect.port().map(Object::toString).orElse("-");
            case RouteAction.Forward forward -> backend(forward);
        };
    }

    private String backend(RouteAction.Forward forward) {
        String cluster = forward.clusters().getFirst().cluster();
        if (!translation.state().clusters().containsKey(cluster)) {
            return Integer.toString(forward.notFound());
        }
        String[] host = cluster.substring(cluster.lastIndexOf('|') + 1).split("\\.");
        return host[1].equals("default") ? host[0] : host[0] + "." + host[1];
    }

    /** A request. */
    record Asked(String method, String authority, String path, String query, Map<String, String> fields)
            implements RequestView {
        static Asked of(String authority, String path) {
            return new Asked("GET", authority, path, "", Map.of());
        }

        /** With header fields: {@code name=value name=value}. */
        Asked with(String fields) {
            Map<String, String> all = new TreeMap<>();
            for (String field : fields.isEmpty() ? new String[0] : fields.split(" ")) {
                all.put(field.substring(0, field.indexOf('=')), field.substring(field.indexOf('=') + 1));
            }
            return new Asked(method, authority, path, query, all);
        }

        @Override
        public String scheme() {
            return "http";
        }

        @Override
        public List<String> headers(String name) {
            return fields.containsKey(name) ? List.of(fields.getOrDefault(name, "")) : List.of();
        }
    }
}
