package dev.tulle.config;

import dev.tulle.config.HttpRule.Action;
import dev.tulle.config.Problem.Severity;
import dev.tulle.config.ServiceCatalog.Draft;
import dev.tulle.model.Cluster;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteAction.Rewrite;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.ServicePort;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Builds the route tables of service ports from VirtualServices and HTTPRoutes. */
final class RouteTables {
    /** No subsets have such names: there never is a cluster of them. */
    private static final String NOT_GRANTED = "(not granted)";

    private static final String NOBODY = "(nobody)";

    private final ServiceCatalog catalog;
    private final List<Problem> problems;
    private final Map<String, List<VirtualService>> virtualServices = new HashMap<>();
    private final List<String> patterns = new ArrayList<>();
    private final Map<String, List<HttpRoute>> httpRoutes = new HashMap<>();
    private final TcpRoutes tcpRoutes;
    private final ConfigSnapshot config;
    private final Set<Position> reported = new HashSet<>();

    RouteTables(ConfigSnapshot config, ServiceCatalog catalog, List<Problem> problems) {
        this.catalog = catalog;
        this.problems = problems;
        this.config = config;
        this.tcpRoutes = new TcpRoutes(config.tcpRoutes());
        for (VirtualService service : oldestFirst(config.virtualServices())) {
            if (!service.isFor(VirtualService.MESH)) {
                continue;
            }
            Set<String> hosts = new LinkedHashSet<>();
            for (String host : service.hosts()) {
                hosts.add(Hosts.resolve(host, service.namespace(), catalog::knows));
            }
            hosts.forEach(host -> virtualServices
                    .computeIfAbsent(host, _ -> new ArrayList<>())
                    .add(service));
        }
        virtualServices.keySet().stream().filter(Hosts::isPattern).sorted().forEach(patterns::add);
        for (HttpRoute route : oldestFirst(config.httpRoutes())) {
            Set<String> hosts = new LinkedHashSet<>();
            route.parents().forEach(parent -> hosts.add(parent.hostname()));
            hosts.forEach(host ->
                    httpRoutes.computeIfAbsent(host, _ -> new ArrayList<>()).add(route));
        }
    }

    static <T extends ConfigResource> List<T> oldestFirst(List<T> resources) {
        return resources.stream().sorted(ConfigResource.OLDEST_FIRST).toList();
    }

    /** The clusters that share the connections of a port, and the object that says so. */
    record Split(List<WeightedCluster> clusters, ResourceRef origin) {}

    private List<VirtualService> virtualServicesOf(String hostname) {
        List<VirtualService> exact = virtualServices.get(hostname);
        if (exact != null) {
            return exact;
        }
        return Hosts.mostSpecific(patterns, hostname)
                .flatMap(pattern -> Optional.ofNullable(virtualServices.get(pattern)))
                .orElse(List.of());
    }

    /** The split of a port's connections, when a TCPRoute or else a VirtualService has a rule for them. */
    Optional<Split> tcp(Draft draft, ServicePort port) {
        Optional<TcpRoute> route = tcpRoutes.of(draft.hostname(), port.number());
        if (route.isPresent()) {
            return route.map(found -> tcp(found, port));
        }
        for (VirtualService service : virtualServicesOf(draft.hostname())) {
            Optional<Split> split = tcp(service, port, VirtualService.MESH);
            if (split.isPresent()) {
                return split;
            }
        }
        return Optional.empty();
    }

    /** The split of the connections to a port that a VirtualService has, in the mesh or at a gateway. */
    Optional<Split> tcp(VirtualService service, ServicePort port, String where) {
        return service.tcp().stream()
                .filter(rule -> rule.holdsFor(port.number(), where))
                .findFirst()
                .map(rule -> new Split(
                        clusters(rule.destinations(), service.ref(), service.namespace(), port), service.ref()));
    }

    /** The split of connections that a TCPRoute has. */
    Split tcp(TcpRoute route, ServicePort port) {
        List<WeightedCluster> clusters = clusters(route.destinations(), route.ref(), route.namespace(), port);
        return clusters.stream().anyMatch(cluster -> cluster.weight() > 0)
                ? new Split(clusters, route.ref())
                : new Split(
                        List.of(new WeightedCluster(
                                Cluster.nameOf(
                                        port.number(),
                                        NOBODY,
                                        route.destinations().getFirst().host()),
                                1)),
                        route.ref());
    }

    /** The connections of TLS at a port of a gateway that a VirtualService has rules for, by the names that they ask for. */
    List<Map.Entry<List<String>, Split>> tls(VirtualService service, ServicePort port, String where) {
        List<Map.Entry<List<String>, Split>> all = new ArrayList<>();
        for (VirtualService.TlsRule rule : service.tls()) {
            for (VirtualService.TlsMatch match : rule.matches()) {
                if (match.holdsFor(port.number(), where)) {
                    all.add(Map.entry(
                            match.names(),
                            new Split(
                                    clusters(rule.destinations(), service.ref(), service.namespace(), port),
                                    service.ref())));
                }
            }
        }
        return all;
    }

    /** The route table of a port that speaks HTTP. */
    RouteConfiguration http(Draft draft, ServicePort port, List<String> addresses) {
        // As in Istio, HTTPRoutes together or one VirtualService route a host: no other gets what these leave.
        List<Route> routes = new ArrayList<>();
        List<HttpRoute> attached = httpRoutes.getOrDefault(draft.hostname(), List.of()).stream()
                .filter(route -> isAttached(route, draft.hostname(), port))
                .toList();
        for (HttpRoute route : attached) {
            if (route.isGrpc() == attached.getFirst().isGrpc()) {
                routes.addAll(routesOf(route, port));
            } else {
                problems.add(Problems.about(
                                route.ref(),
                                "spec.parentRefs",
                                draft.hostname() + ":" + port.number(),
                                "a Service that routes of one kind route",
                                "the route has no effect there: "
                                        + attached.getFirst().ref()
                                        + " is older, and routes of the two kinds are not put together")
                        .as(Warning.HOST_ROUTED_TWICE));
            }
        }
        // A stable sort: equally specific routes keep the order of their objects and rules.
        routes.sort(RoutePrecedence.MOST_SPECIFIC_FIRST);
        for (VirtualService service : virtualServicesOf(draft.hostname())) {
            if (!routes.isEmpty()) {
                break;
            }
            routes.addAll(routesOf(service, port, VirtualService.MESH));
        }
        if (routes.isEmpty()) {
            routes.add(defaultRoute(draft, port));
        }
        String name = draft.hostname() + ":" + port.number();
        VirtualHost host =
                new VirtualHost(name, VirtualHosts.domains(draft, port, addresses), VirtualHosts.uniquelyNamed(routes));
        return new RouteConfiguration(name, List.of(host));
    }

    private static Route defaultRoute(Draft draft, ServicePort port) {
        WeightedCluster cluster = new WeightedCluster(Cluster.nameOf(port.number(), "", draft.hostname()), 1);
        return new Route(
                "default",
                RouteMatch.ANY,
                new RouteAction.Forward(List.of(cluster), Duration.ZERO, RetryPolicy.DEFAULT, Rewrite.NONE, List.of()),
                List.of(),
                HeaderMutation.NONE,
                ResourceRef.DEFAULT);
    }

    private static boolean isAttached(HttpRoute route, String hostname, ServicePort port) {
        return route.parents().stream().anyMatch(parent -> parent.means(hostname, port.number()));
    }

    /** The routes of a VirtualService for a port, in the mesh or at a gateway. */
    List<Route> routesOf(VirtualService source, ServicePort port, String where) {
        List<Route> routes = new ArrayList<>();
        for (HttpRule rule : source.http()) {
            for (HttpRule.Match match : rule.matches()) {
                if (match.holdsFor(port.number(), where)) {
                    routes.add(route(rule, match, match.route(), source, port));
                }
            }
        }
        return routes;
    }

    /** The routes of an HTTPRoute or GRPCRoute for a port, in the mesh or at a gateway; hosts are the caller's matter. */
    List<Route> routesOf(HttpRoute source, ServicePort port) {
        List<Route> routes = new ArrayList<>();
        for (HttpRule rule : source.rules()) {
            for (HttpRule.Match match : rule.matches()) {
                routes.add(route(rule, match, match.route(), source, port));
            }
        }
        return routes;
    }

    private Route route(
            HttpRule rule, HttpRule.Match match, RouteMatch condition, ConfigResource source, ServicePort port) {
        RouteAction action =
                switch (rule.action()) {
                    case Action.Answer answer ->
                        answer.action() instanceof RouteAction.Redirect redirect
                                ? redirect(redirect, answer.atAskedPort(), port)
                                : answer.action();
                    case Action.Forward forward -> forward(forward, condition.path(), source, port);
                };
        String name = match.name().isEmpty() ? rule.name() : rule.name() + "." + match.name();
        List<RouteFilter> filters =
                FilterAnnotations.with(rule.filters(), source.manifest().filters());
        return new Route(name, condition, action, filters, headers(rule), source.ref());
    }

    /** As in Istio, a single destination's changes are one step with the rule's, and those of a split one before it. */
    private static HeaderMutation headers(HttpRule rule) {
        return rule.action() instanceof Action.Forward forward
                        && forward.destinations().size() == 1
                ? rule.headers().with(forward.destinations().getFirst().headers())
                : rule.headers();
    }

    /** Fills in the port of a redirect that takes it from the port that was asked. */
    private static RouteAction redirect(RouteAction.Redirect redirect, boolean atAskedPort, ServicePort port) {
        return redirect.port().isPresent() || !atAskedPort
                ? redirect
                : new RouteAction.Redirect(
                        redirect.status(),
                        redirect.scheme(),
                        redirect.authority(),
                        Optional.of(port.number()),
                        redirect.path());
    }

    private RouteAction forward(Action.Forward forward, PathMatch path, ConfigResource source, ServicePort port) {
        // Gateway API has a status of its own for a backend that there is not, Istio's kinds 503.
        int nowhere = source instanceof HttpRoute route ? route.nowhere() : 503;
        if (forward.destinations().stream().noneMatch(d -> d.weight() > 0)) {
            return new RouteAction.DirectResponse(nowhere, "");
        }
        List<WeightedCluster> clusters = clusters(forward.destinations(), source.ref(), source.namespace(), port);
        Rewrite rewrite = forward.rewrite();
        if (forward.rewriteUri().isPresent()) {
            String uri = forward.rewriteUri().get();
            PathRewrite change =
                    path instanceof PathMatch.Prefix ? new PathRewrite.MatchedPrefix(uri) : new PathRewrite.Full(uri);
            rewrite = new Rewrite(rewrite.authority(), Optional.of(change));
        }
        List<RouteAction.Mirror> mirrors = new ArrayList<>();
        for (HttpRule.Mirror mirror : forward.mirrors()) {
            String cluster = cluster(mirror.destination(), source.ref(), source.namespace(), port);
            mirrors.add(new RouteAction.Mirror(cluster, mirror.partsPerMillion()));
        }
        return new RouteAction.Forward(clusters, forward.timeout(), forward.retry(), rewrite, mirrors, nowhere);
    }

    private List<WeightedCluster> clusters(
            List<Destination> destinations, ResourceRef source, String namespace, ServicePort port) {
        List<WeightedCluster> out = new ArrayList<>(destinations.size());
        for (Destination d : destinations) {
            HeaderMutation headers = destinations.size() == 1 ? HeaderMutation.NONE : d.headers();
            out.add(new WeightedCluster(cluster(d, source, namespace, port), d.weight(), headers));
        }
        return out;
    }

    /** The cluster of a destination; a missing port means the only port of its service, else the dialled one. */
    private String cluster(Destination destination, ResourceRef source, String namespace, ServicePort dialled) {
        String hostname = Hosts.resolve(destination.host(), namespace, catalog::knows);
        Optional<Draft> target = catalog.find(hostname);
        List<ServicePort> ports = target.map(Draft::ports).orElse(List.of());
        int number =
                destination.port().orElse(ports.size() == 1 ? ports.getFirst().number() : dialled.number());
        Position at = destination.position();
        if (!ReferenceGrant.permitted(config.referenceGrants(), source, hostname)) {
            warn(
                    Warning.NOT_GRANTED,
                    source,
                    at,
                    destination.host(),
                    "a Service of the namespace " + namespace + ", or a ReferenceGrant in the other namespace for kind "
                            + source.kind() + " of " + namespace,
                    "a Service of another namespace, which does not permit this: requests that take this share fail");
            return Cluster.nameOf(number, NOT_GRANTED, hostname);
        }
        if (target.isEmpty()) {
            warn(
                    Warning.NO_DESTINATION,
                    source,
                    at,
                    destination.host(),
                    "a service that is declared or that a workload names",
                    "no such service yet: requests that take this share fail");
        } else if (ports.stream().noneMatch(p -> p.number() == number)) {
            warn(
                    Warning.NO_DESTINATION_PORT,
                    source,
                    at,
                    hostname + ":" + number,
                    "a port of the service",
                    "the service has no such port: requests that take this share fail");
        }
        return Cluster.nameOf(number, destination.subset(), hostname);
    }

    void warn(Warning warning, ResourceRef source, Position at, String value, String expected, String message) {
        if (reported.add(new Position(at.line(), at.column(), source + at.field()))) {
            problems.add(Problems.at(Severity.WARNING, source, at, value, expected, message)
                    .as(warning));
        }
    }

    /** The first object that has rules for the requests of a port. */
    Optional<ResourceRef> ruledBy(Draft draft, ServicePort port) {
        return rulers(draft, port).stream().findFirst().map(ConfigResource::ref);
    }

    private List<ConfigResource> rulers(Draft draft, ServicePort port) {
        List<ConfigResource> found = new ArrayList<>();
        httpRoutes.getOrDefault(draft.hostname(), List.of()).stream()
                .filter(r -> isAttached(r, draft.hostname(), port))
                .forEach(found::add);
        virtualServicesOf(draft.hostname()).stream()
                .filter(v -> !v.http().isEmpty())
                .forEach(found::add);
        return found;
    }

    /** Tells about rules for requests at a port whose requests nobody reads. */
    void reportHttpOnBytes(Draft draft, ServicePort port) {
        for (ConfigResource resource : rulers(draft, port)) {
            problems.add(Problems.about(
                            resource.ref(),
                            "",
                            draft.hostname() + ":" + port.number() + " " + port.protocol(),
                            "a port with the protocol http, http2 or grpc (--port http:" + port.number()
                                    + ", or a port name that begins so)",
                            "rules for requests have no effect on this port, which is carried as bytes")
                    .as(Warning.RULES_ON_BYTES));
        }
    }

    /** Tells about hosts and parents that no service has. */
    void reportUnused() {
        for (VirtualService service : config.virtualServices()) {
            if (!service.isFor(VirtualService.MESH)) {
                continue;
            }
            for (int i = 0; i < service.hosts().size(); i++) {
                String host = service.hosts().get(i);
                String hostname = Hosts.resolve(host, service.namespace(), catalog::knows);
                if (!Hosts.isPattern(hostname) && !catalog.knows(hostname)) {
                    warn(
                            Warning.NO_HOST,
                            service.ref(),
                            service.hostPositions().get(i),
                            host,
                            "a service that is declared or that a workload names",
                            "no such service yet: the rules take effect when it appears");
                }
            }
        }
        config.httpRoutes().forEach(route -> reportUnknown(route, route.parents()));
        config.tcpRoutes().forEach(route -> reportUnknown(route, route.parents()));
    }

    private void reportUnknown(ConfigResource route, List<HttpRoute.Parent> parents) {
        for (HttpRoute.Parent parent : parents) {
            if (!catalog.knows(parent.hostname())) {
                warn(
                        Warning.NO_HOST,
                        route.ref(),
                        parent.position(),
                        parent.service(),
                        "a Service of the namespace " + parent.namespace(),
                        "no such service yet: the rules take effect when it appears");
            }
        }
    }
}
