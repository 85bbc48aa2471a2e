package dev.tulle.config;

import dev.tulle.config.DestinationRule.ConnectionPool;
import dev.tulle.config.DestinationRule.LoadBalancer;
import dev.tulle.config.DestinationRule.Subset;
import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.model.Cluster;
import dev.tulle.model.Cluster.ProxyProtocol;
import dev.tulle.model.Http2Options;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Decodes Istio's DestinationRule. */
final class DestinationRuleDecoder {
    /** What a policy must have one of. */
    private static final List<String> PARTS = List.of(
            "connectionPool",
            "loadBalancer",
            "outlierDetection",
            "portLevelSettings",
            "proxyProtocol",
            "retryBudget",
            "tls",
            "tunnel");

    private static final Map<String, ProxyProtocol> VERSIONS = Map.of("V1", ProxyProtocol.V1, "V2", ProxyProtocol.V2);
    private static final String UPGRADE = "UPGRADE";

    private DestinationRuleDecoder() {}

    static ConfigResource decode(Manifest manifest, Fields document) {
        return document.requiredObject("spec")
                .map(spec -> decodeSpec(manifest, spec))
                .orElse(new DestinationRule(manifest, "", document.position(), TrafficPolicy.NONE, List.of()));
    }

    private static DestinationRule decodeSpec(Manifest manifest, Fields spec) {
        String host = spec.requiredString("host");
        Position position = spec.position("host");
        IstioFields.checkHost(spec, "host", host);
        IstioFields.exportTo(spec, manifest.ref().namespace(), false);
        spec.unsupported("workloadSelector");
        TrafficPolicy policy = policy(spec);
        List<Subset> subsets = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Fields subset : spec.objects("subsets")) {
            String name = subset.requiredString("name");
            IstioFields.checkSubset(subset, "name", name);
            if (!name.isEmpty() && !names.add(name)) {
                subset.error("name", "each subset once", "two subsets have this name");
            }
            Map<String, String> labels = IstioFields.labels(subset, "labels");
            subsets.add(new Subset(name, labels, policy(subset), subset.position("name")));
            subset.done();
        }
        spec.done();
        return new DestinationRule(manifest, host, position, policy, subsets);
    }

    private static TrafficPolicy policy(Fields owner) {
        Optional<Fields> found = owner.object("trafficPolicy");
        if (found.isEmpty()) {
            return TrafficPolicy.NONE;
        }
        Fields policy = found.get();
        policy.unsupported("outlierDetection", "portLevelSettings", "retryBudget", "tunnel");
        Optional<ClientTls> tls = policy.object("tls").map(ClientTls::decode);
        Optional<LoadBalancer> balancer = policy.object("loadBalancer").map(BalancerDecoder::decode);
        Optional<ConnectionPool> pool = policy.object("connectionPool").map(DestinationRuleDecoder::pool);
        Optional<ProxyProtocol> header = policy.object("proxyProtocol").map(DestinationRuleDecoder::proxyProtocol);
        boolean empty = PARTS.stream().noneMatch(policy::has);
        policy.done();
        if (empty) {
            policy.error("", "at least one of " + String.join(", ", PARTS), "a policy that says nothing");
        }
        return new TrafficPolicy(balancer, pool, tls, header);
    }

    /** Version 1 where nothing is said, as in Istio. */
    private static ProxyProtocol proxyProtocol(Fields header) {
        ProxyProtocol version = header.choice("version", VERSIONS).orElse(ProxyProtocol.V1);
        header.done();
        return version;
    }

    private static ConnectionPool pool(Fields pool) {
        Optional<Fields> tcp = pool.object("tcp");
        Optional<Fields> http = pool.object("http");
        Optional<Duration> connectTimeout = tcp.flatMap(t -> t.duration("connectTimeout"));
        OptionalInt maxConnections = integer(tcp, "maxConnections");
        OptionalInt maxPending = integer(http, "http1MaxPendingRequests");
        OptionalInt maxPerConnection = integer(http, "maxRequestsPerConnection");
        Optional<Duration> idle = http.flatMap(h -> h.duration("idleTimeout"));
        Optional<Cluster.Protocol> protocol = http.flatMap(DestinationRuleDecoder::protocol);
        Http2Options http2 = http.map(DestinationRuleDecoder::http2).orElse(Http2Options.NONE);
        tcp.ifPresent(t -> {
            t.unsupported("idleTimeout", "maxConnectionDuration", "tcpKeepalive");
            t.done();
        });
        http.ifPresent(h -> {
            h.unsupported("http2MaxRequests", "maxRetries");
            h.done();
        });
        if (!pool.has("tcp") && !pool.has("http")) {
            pool.error("", "tcp, http or both", "a pool of connections without settings");
        }
        pool.done();
        return new ConnectionPool(connectTimeout, maxConnections, maxPending, maxPerConnection, idle, protocol, http2);
    }

    /** What endpoints are spoken to in, where the rule says it. */
    private static Optional<Cluster.Protocol> protocol(Fields http) {
        Optional<String> policy = http.choice(
                "h2UpgradePolicy", Map.of("DEFAULT", "DEFAULT", "DO_NOT_UPGRADE", "DO_NOT_UPGRADE", UPGRADE, UPGRADE));
        boolean upgrades = policy.filter(UPGRADE::equals).isPresent();
        boolean asClient = http.bool("useClientProtocol").orElse(false);
        if (upgrades && asClient) {
            http.error("useClientProtocol", "not together with h2UpgradePolicy UPGRADE", "both");
        }
        if (asClient) {
            return Optional.of(Cluster.Protocol.AS_CLIENT);
        }
        return upgrades ? Optional.of(Cluster.Protocol.HTTP2) : Optional.empty();
    }

    private static Http2Options http2(Fields http) {
        int streams = http.integer("maxConcurrentStreams", 0, Integer.MAX_VALUE).orElse(0);
        Optional<Fields> alive = http.object("http2KeepAlive");
        Optional<Duration> interval = alive.flatMap(a -> a.duration("interval"));
        Optional<Duration> timeout = alive.flatMap(a -> a.duration("timeout"));
        alive.ifPresent(a -> {
            for (String name : List.of("interval", "timeout")) {
                if (!a.has(name)) {
                    a.error("", name, "nothing");
                }
            }
            a.done();
        });
        return interval.isPresent() && timeout.isPresent()
                ? new Http2Options(streams, interval.get(), timeout.get())
                : new Http2Options(streams, Duration.ZERO, Duration.ZERO);
    }

    private static OptionalInt integer(Optional<Fields> fields, String name) {
        return fields.isPresent() ? fields.get().integer(name, 0, Integer.MAX_VALUE) : OptionalInt.empty();
    }
}
