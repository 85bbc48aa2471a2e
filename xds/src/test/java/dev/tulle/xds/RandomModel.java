package dev.tulle.xds;

import dev.tulle.model.AppProtocol;
import dev.tulle.model.AuthorizationPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.Coding;
import dev.tulle.model.Compression;
import dev.tulle.model.CorsPolicy;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.Endpoint;
import dev.tulle.model.EndpointChoice;
import dev.tulle.model.EndpointSet;
import dev.tulle.model.FaultInjection;
import dev.tulle.model.HeaderMutation;
import dev.tulle.model.HeaderMutation.Changes;
import dev.tulle.model.HeaderMutation.Field;
import dev.tulle.model.Http2Options;
import dev.tulle.model.Listener;
import dev.tulle.model.Locality;
import dev.tulle.model.PortPath;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.RetryPolicy;
import dev.tulle.model.Route;
import dev.tulle.model.RouteAction;
import dev.tulle.model.RouteAction.PathRewrite;
import dev.tulle.model.RouteConfiguration;
import dev.tulle.model.RouteFilter;
import dev.tulle.model.RouteMatch;
import dev.tulle.model.RouteMatch.Named;
import dev.tulle.model.RouteMatch.PathMatch;
import dev.tulle.model.Secret;
import dev.tulle.model.Service;
import dev.tulle.model.ServicePort;
import dev.tulle.model.StringMatch;
import dev.tulle.model.TextPattern;
import dev.tulle.model.UpstreamTls;
import dev.tulle.model.VirtualHost;
import dev.tulle.model.WeightedCluster;
import dev.tulle.model.Workload;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;

/** Makes random values of every resource type, the same ones for the same seed. */
final class RandomModel {
    private final Random random;

    RandomModel(long seed) {
        this.random = new Random(seed);
    }

    Secret certificate() {
        return new Secret.IdentityCertificate("spiffe://td/ns/" + word() + "/sa/" + word(), pem(), pem());
    }

    Secret roots() {
        return new Secret.TrustedRoots(Secret.ROOTS, pem());
    }

    private String pem() {
        return "-----BEGIN " + word() + "-----\n" + word() + "\n";
    }

    Cluster cluster() {
        int port = port();
        String subset = random.nextBoolean() ? "" : word();
        String hostname = word() + ".default.svc.cluster.local";
        String name = random.nextInt(5) == 0 ? "Other-" + word() : Cluster.nameOf(port, subset, hostname);
        Cluster.Protocol protocol = pick(Cluster.Protocol.values());
        return new Cluster(
                name,
                hostname,
                port,
                subset,
                pick(Cluster.Balancing.values()),
                Duration.ofMillis(random.nextInt(20_000)),
                random.nextInt(3) * 100,
                random.nextInt(3) * 50,
                random.nextInt(3),
                Duration.ofNanos(random.nextInt(2_000_000_000)),
                protocol,
                protocol == Cluster.Protocol.HTTP1 ? Http2Options.NONE : http2(),
                random.nextBoolean() ? Optional.empty() : Optional.of(tls()),
                pick(Cluster.ProxyProtocol.values()),
                origin());
    }

    private Http2Options http2() {
        boolean asks = random.nextBoolean();
        return new Http2Options(
                random.nextInt(3) * 10,
                asks ? Duration.ofMillis(1 + random.nextInt(9_999)) : Duration.ZERO,
                asks ? Duration.ofNanos(1 + random.nextInt(2_000_000_000)) : Duration.ZERO);
    }

    private UpstreamTls tls() {
        String client = random.nextBoolean() ? "" : "/etc/" + word();
        boolean anyone = random.nextInt(3) == 0;
        return new UpstreamTls(
                random.nextBoolean() ? "" : word(),
                client,
                client.isEmpty() ? "" : client + ".key",
                anyone ? "" : "/etc/" + word(),
                anyone
                        ? List.of()
                        : list(
                                3,
                                () -> pick(new String[] {
                                    word(), "spiffe://td/ns/" + word(), "192.0.2.7", "2001:db8::7", "a@b"
                                })));
    }

    EndpointSet endpoints() {
        List<Endpoint> endpoints = new ArrayList<>(list(
                6,
                () -> new Endpoint(
                        address(),
                        port(),
                        1 + random.nextInt(9),
                        random.nextBoolean(),
                        random.nextBoolean() ? "" : word(),
                        random.nextBoolean() ? "" : word(),
                        locality(),
                        random.nextInt(3))));
        // Endpoints of one place travel together, so this is the order in which they arrive.
        endpoints.sort(Comparator.comparing((Endpoint e) -> e.priority() + " " + e.locality()));
        return new EndpointSet(Cluster.nameOf(port(), "", word()), endpoints);
    }

    private Locality locality() {
        return Locality.parse(pick(new String[] {"", "r", "r/z", "r/z/s", "r2/z"}));
    }

    Listener listener() {
        return random.nextInt(4) == 0 ? edge() : ofService();
    }

    /** The ports of the mesh's edge. */
    private Listener edge() {
        List<Listener.Target.Chain> chains = new ArrayList<>();
        int count = 1 + random.nextInt(4);
        for (int i = 0; i < count; i++) {
            Listener.Target target = random.nextBoolean()
                    ? new Listener.Target.Http("http." + i, false, List.of(), random.nextInt(3), random.nextBoolean())
                    : new Listener.Target.Tcp(list(2, () -> new WeightedCluster(word(), 1 + random.nextInt(9))));
            String name = "chain-" + i;
            boolean passes = random.nextBoolean();
            if (passes && target instanceof Listener.Target.Tcp tcp) {
                chains.add(Listener.Target.Chain.passing(name, 80 + i, list(2, this::word), tcp, origin()));
            } else if (random.nextBoolean()) {
                chains.add(new Listener.Target.Chain(80 + i, target, origin()));
            } else {
                chains.add(new Listener.Target.Chain(
                        name, 80 + i, list(2, this::word), Optional.of(edgeTls()), target, origin()));
            }
        }
        Set<Integer> announced = new HashSet<>();
        for (Listener.Target.Chain chain : chains) {
            if (random.nextBoolean()) {
                announced.add(chain.port());
            }
        }
        return new Listener(Listener.EDGE, "0.0.0.0", 80, "", new Listener.Target.Edge(chains, announced));
    }

    private EdgeTls edgeTls() {
        EdgeTls tls =
                new EdgeTls("/" + word(), "/" + word(), random.nextBoolean() ? "" : "/" + word(), random.nextBoolean());
        return random.nextBoolean() ? tls : tls.forBytes();
    }

    private Listener ofService() {
        String address = address();
        int port = port();
        List<WeightedCluster> split =
                new ArrayList<>(list(2, () -> new WeightedCluster(word(), 1 + random.nextInt(5))));
        split.add(new WeightedCluster(word(), 1));
        Listener.Target target =
                switch (random.nextInt(3)) {
                    case 0 -> new Listener.Target.Tcp(split);
                    case 1 -> new Listener.Target.Http(word() + ":" + port, true, split);
                    default -> new Listener.Target.Http(word() + ":" + port, false, List.of(), 0, random.nextBoolean());
                };
        return new Listener(Listener.nameOf(address, port), address, port, word(), target);
    }

    RouteConfiguration routes() {
        return new RouteConfiguration(
                word() + ":" + port(),
                list(3, () -> new VirtualHost(word(), list(3, this::word), list(5, this::route))));
    }

    Service service() {
        List<ServicePort> ports = new ArrayList<>();
        List<PortPath> paths = new ArrayList<>();
        for (int i = 0; i < random.nextInt(4); i++) {
            int number = 1000 * (i + 1) + random.nextInt(1000);
            ports.add(new ServicePort(number, port(), pick(AppProtocol.values()), random.nextBoolean() ? "" : word()));
            PortPath.Path path = pick(PortPath.Path.values());
            paths.add(new PortPath(
                    number,
                    path,
                    word(),
                    random.nextBoolean() ? EndpointChoice.RANDOM : EndpointChoice.sticky(1 + random.nextInt(90_000)),
                    path == PortPath.Path.PROXY && random.nextBoolean()));
        }
        return new Service(word(), word() + ".example", list(3, this::address), ports, origin(), paths);
    }

    Workload workload() {
        Map<String, String> labels = new TreeMap<>();
        list(3, this::word).forEach(key -> labels.put(key, word()));
        String name = word();
        return new Workload(
                "node/default/" + name,
                name,
                word(),
                word(),
                word(),
                list(2, this::address),
                labels,
                list(2, this::word),
                list(2, () -> new Workload.WorkloadPort(port(), pick(AppProtocol.values()))),
                random.nextBoolean(),
                list(2, this::word),
                origin(),
                locality(),
                random.nextBoolean() ? address() : "");
    }

    AuthorizationPolicy policy() {
        return new AuthorizationPolicy(
                word() + "/" + word(),
                pick(AuthorizationPolicy.Scope.values()),
                pick(AuthorizationPolicy.Action.values()),
                list(
                        3,
                        () -> new AuthorizationPolicy.Rule(
                                list(2, this::source), list(2, this::operation), list(2, this::condition))),
                origin());
    }

    private AuthorizationPolicy.Source source() {
        // A source that asks nothing is refused where policies are read.
        List<TextPattern> namespaces = new ArrayList<>(patterns("a", "b*", "*"));
        namespaces.add(TextPattern.parse("c"));
        return new AuthorizationPolicy.Source(
                patterns("t/ns/a/sa/x", "*/sa/y", "*"), patterns("t/*"), namespaces, patterns("c"));
    }

    private AuthorizationPolicy.Operation operation() {
        return new AuthorizationPolicy.Operation(
                list(2, () -> 80 + random.nextInt(3)),
                list(2, () -> 82),
                random.nextBoolean() ? List.of() : patterns("h", "*.h"),
                List.of(),
                random.nextBoolean() ? List.of() : patterns("GET", "P*"),
                List.of(),
                patterns(),
                random.nextBoolean() ? List.of() : patterns("/a", "/b/*"));
    }

    private AuthorizationPolicy.Condition condition() {
        return switch (random.nextInt(4)) {
            case 0 -> new AuthorizationPolicy.Condition.Header("x-a", patterns("1", "2*"), patterns("3"));
            case 1 -> new AuthorizationPolicy.Condition.Principal(List.of(TextPattern.parse("*/sa/y")), patterns("z"));
            case 2 -> new AuthorizationPolicy.Condition.Namespace(patterns("z"), List.of(TextPattern.parse("b*")));
            default -> new AuthorizationPolicy.Condition.Port(List.of(80, 81), list(1, () -> 81));
        };
    }

    private List<TextPattern> patterns(String... written) {
        int n = written.length == 0 ? 0 : random.nextInt(written.length + 1);
        return Arrays.stream(written).limit(n).map(TextPattern::parse).toList();
    }

    private Route route() {
        RouteAction action =
                switch (random.nextInt(4)) {
                    case 0 ->
                        new RouteAction.Redirect(
                                pick(new Integer[] {301, 302, 303, 307, 308}),
                                maybe(this::word),
                                maybe(this::word),
                                maybe(this::port),
                                maybe(this::rewrite));
                    case 1 ->
                        new RouteAction.DirectResponse(200 + random.nextInt(300), random.nextBoolean() ? "" : word());
                    default -> forward();
                };
        return new Route(word(), match(), action, filters(), headers(), origin());
    }

    /** In the order in which they come back. */
    private List<RouteFilter> filters() {
        List<RouteFilter> out = new ArrayList<>();
        if (random.nextBoolean()) {
            out.add(new FaultInjection(
                    maybe(() -> new FaultInjection.Delay(
                            Duration.ofMillis(random.nextInt(5000)), random.nextInt(1_000_001))),
                    maybe(() -> new FaultInjection.Abort(400 + random.nextInt(200), random.nextInt(1_000_001)))));
        }
        if (random.nextBoolean()) {
            out.add(new CorsPolicy(
                    list(3, () -> new StringMatch.Exact(word())),
                    word(),
                    word(),
                    word(),
                    Integer.toString(random.nextInt(1000)),
                    random.nextBoolean(),
                    random.nextBoolean()));
        }
        if (random.nextBoolean()) {
            List<Coding> codings = new ArrayList<>(List.of(Coding.values()));
            Collections.shuffle(codings, random);
            List<String> types = new ArrayList<>(list(3, this::word));
            types.add(word());
            out.add(new Compression(codings.subList(0, 1 + random.nextInt(3)), types, random.nextInt(5000)));
        }
        return out;
    }

    private RouteAction.Forward forward() {
        List<WeightedCluster> clusters =
                new ArrayList<>(list(2, () -> new WeightedCluster(word(), random.nextInt(100), headers())));
        clusters.add(new WeightedCluster(word(), 1));
        Set<String> on = new HashSet<>(list(3, () -> pick(new String[] {"connect-failure", "5xx", "503", "reset"})));
        RetryPolicy retry = random.nextBoolean()
                ? RetryPolicy.NONE
                : new RetryPolicy(random.nextInt(4), Duration.ofMillis(random.nextInt(3) * 250L), on);
        return new RouteAction.Forward(
                clusters,
                Duration.ofMillis(random.nextInt(3) * 1500L),
                retry,
                new RouteAction.Rewrite(maybe(this::word), maybe(this::rewrite)),
                list(2, () -> new RouteAction.Mirror(word(), random.nextInt(1_000_001))),
                pick(new Integer[] {503, 404, 500}));
    }

    private PathRewrite rewrite() {
        return switch (random.nextInt(3)) {
            case 0 -> new PathRewrite.Full("/" + word() + (random.nextBoolean() ? "\\1" : ""));
            case 1 -> new PathRewrite.MatchedPrefix("/" + word());
            default -> new PathRewrite.Regex("^/(" + word() + ")", "/x\\1");
        };
    }

    private RouteMatch match() {
        PathMatch path =
                switch (random.nextInt(4)) {
                    case 0 -> new PathMatch.Exact("/" + word());
                    case 1 -> new PathMatch.Prefix("/" + word());
                    case 2 -> new PathMatch.SegmentPrefix("/" + word());
                    default -> new PathMatch.Regex("/" + word() + ".*");
                };
        return new RouteMatch(
                path,
                random.nextBoolean(),
                maybe(this::string),
                list(3, () -> new Named(word(), string(), random.nextBoolean())),
                list(2, () -> new Named(word(), string(), false)));
    }

    private StringMatch string() {
        return switch (random.nextInt(4)) {
            case 0 -> new StringMatch.Exact(word());
            case 1 -> new StringMatch.Prefix(word());
            case 2 -> new StringMatch.Regex(word() + "+");
            default -> new StringMatch.Present();
        };
    }

    private HeaderMutation headers() {
        return random.nextBoolean() ? HeaderMutation.NONE : new HeaderMutation(changes(), changes());
    }

    private Changes changes() {
        return new Changes(
                list(2, () -> new Field("x-" + word(), "100% " + word())),
                list(2, () -> new Field("x-" + word(), word())),
                list(2, () -> "x-" + word()));
    }

    private ResourceRef origin() {
        return switch (random.nextInt(3)) {
            case 0 -> ResourceRef.DEFAULT;
            case 1 -> new ResourceRef("Registration", word(), word(), "", 0);
            default -> new ResourceRef("VirtualService", word(), word(), word() + ".yaml", 1 + random.nextInt(99));
        };
    }

    private String address() {
        return random.nextInt(4) == 0
                ? "fd00::" + Integer.toHexString(1 + random.nextInt(0xfffe))
                : "100.64." + random.nextInt(256) + "." + random.nextInt(256);
    }

    private int port() {
        return 1 + random.nextInt(65535);
    }

    private String word() {
        return "w" + Integer.toString(random.nextInt(1 << 20), 36);
    }

    private <T> T pick(T[] values) {
        return values[random.nextInt(values.length)];
    }

    private <T> Optional<T> maybe(Supplier<T> make) {
        return random.nextBoolean() ? Optional.empty() : Optional.of(make.get());
    }

    private <T> List<T> list(int longest, Supplier<T> make) {
        List<T> out = new ArrayList<>();
        for (int i = random.nextInt(longest + 1); i > 0; i--) {
            out.add(make.get());
        }
        return out;
    }
}
