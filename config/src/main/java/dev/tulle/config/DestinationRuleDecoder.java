package dev.tulle.config;

import dev.tulle.config.DestinationRule.Subset;
import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.LocalityPreference;
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
    private static final Map<String, Optional<Balancing>> SIMPLE = Map.of(
            "UNSPECIFIED", Optional.empty(),
            "LEAST_REQUEST", Optional.of(Balancing.LEAST_REQUEST),
            "LEAST_CONN", Optional.of(Balancing.LEAST_REQUEST),
            "ROUND_ROBIN", Optional.of(Balancing.ROUND_ROBIN),
            "RANDOM", Optional.of(Balancing.RANDOM),
            "PASSTHROUGH", Optional.of(Balancing.PASSTHROUGH));

    private static final Map<String, Boolean> TLS_MODES =
            Map.of("DISABLE", true, "SIMPLE", false, "MUTUAL", false, "ISTIO_MUTUAL", false);

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
        IstioFields.exportTo(spec);
        spec.unsupported("workloadSelector");
        TrafficPolicy policy = policy(spec);
        List<Subset> subsets = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Fields subset : spec.objects("subsets")) {
            String name = subset.requiredString("name");
            if (!name.isEmpty() && !isSubsetName(name)) {
                subset.error("name", "letters, digits, '-', '_' and '.', at most 63", "not a name for a subset");
            }
            if (!name.isEmpty() && !names.add(name)) {
                subset.error("name", "each subset once", "two subsets have this name");
            }
            subsets.add(new Subset(name, subset.stringMap("labels"), policy(subset), subset.position("name")));
            subset.done();
        }
        spec.done();
        return new DestinationRule(manifest, host, position, policy, subsets);
    }

    /** A subset's name becomes part of a cluster's name, whose parts are joined by '|'. */
    private static boolean isSubsetName(String name) {
        return name.length() <= 63
                && name.chars()
                        .allMatch(c -> (c >= 'a' && c <= 'z')
                                || (c >= 'A' && c <= 'Z')
                                || (c >= '0' && c <= '9')
                                || c == '-'
                                || c == '_'
                                || c == '.');
    }

    private static TrafficPolicy policy(Fields owner) {
        Optional<Fields> found = owner.object("trafficPolicy");
        if (found.isEmpty()) {
            return TrafficPolicy.NONE;
        }
        Fields policy = found.get();
        policy.unsupported("outlierDetection", "portLevelSettings", "proxyProtocol", "retryBudget", "tunnel");
        policy.object("tls").ifPresent(DestinationRuleDecoder::checkTls);
        Optional<Fields> balancer = policy.object("loadBalancer");
        Optional<LocalityPreference> locality =
                balancer.flatMap(b -> b.object("localityLbSetting")).map(LocalityDecoder::decode);
        Optional<Balancing> balancing = balancer.flatMap(DestinationRuleDecoder::balancing);
        Optional<Fields> pool = policy.object("connectionPool");
        Optional<Fields> tcp = pool.flatMap(p -> p.object("tcp"));
        Optional<Fields> http = pool.flatMap(p -> p.object("http"));
        Optional<Duration> connectTimeout = tcp.flatMap(t -> t.duration("connectTimeout"));
        OptionalInt maxConnections = integer(tcp, "maxConnections");
        OptionalInt maxPending = integer(http, "http1MaxPendingRequests");
        OptionalInt maxPerConnection = integer(http, "maxRequestsPerConnection");
        Optional<Duration> idle = http.flatMap(h -> h.duration("idleTimeout"));
        tcp.ifPresent(t -> {
            t.unsupported("idleTimeout", "maxConnectionDuration", "tcpKeepalive");
            t.done();
        });
        http.ifPresent(h -> {
            h.unsupported(
                    "h2UpgradePolicy", "http2MaxRequests", "maxConcurrentStreams", "maxRetries", "useClientProtocol");
            h.done();
        });
        pool.ifPresent(Fields::done);
        policy.done();
        return new TrafficPolicy(
                balancing, locality, connectTimeout, maxConnections, maxPending, maxPerConnection, idle);
    }

    private static OptionalInt integer(Optional<Fields> fields, String name) {
        return fields.isPresent() ? fields.get().integer(name, 0, Integer.MAX_VALUE) : OptionalInt.empty();
    }

    private static void checkTls(Fields tls) {
        if (!tls.choice("mode", TLS_MODES).orElse(true)) {
            tls.unsupportedValue("mode", "TLS to endpoints", "DISABLE");
        }
        tls.unsupported(
                "caCertificates",
                "caCrl",
                "clientCertificate",
                "credentialName",
                "insecureSkipVerify",
                "privateKey",
                "sni",
                "subjectAltNames");
        tls.done();
    }

    private static Optional<Balancing> balancing(Fields balancer) {
        Optional<Balancing> hash = balancer.object("consistentHash").map(DestinationRuleDecoder::hash);
        balancer.unsupported("backendUtilization", "warmup", "warmupDurationSecs", "zoneAwareLbSetting");
        Optional<Balancing> simple = balancer.choice("simple", SIMPLE).flatMap(choice -> choice);
        if (hash.isPresent() && simple.isPresent()) {
            balancer.error("simple", "simple or consistentHash, not both", "the balancer is named twice");
        }
        balancer.done();
        return hash.or(() -> simple);
    }

    /** By the caller's address; the ring's kind and size make no difference that a caller could see. */
    private static Balancing hash(Fields hash) {
        hash.unsupported("httpCookie", "httpHeaderName", "httpQueryParameterName");
        if (!hash.bool("useSourceIp").orElse(false)) {
            hash.error("useSourceIp", "true", "the caller's address is the only key that this version can hash");
        }
        hash.tolerate("maglev", "minimumRingSize", "ringHash");
        hash.done();
        return Balancing.SOURCE_HASH;
    }
}
