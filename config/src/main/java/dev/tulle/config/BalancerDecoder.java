package dev.tulle.config;

import dev.tulle.config.DestinationRule.LoadBalancer;
import dev.tulle.model.Cluster.Balancing;
import dev.tulle.model.LocalityPreference;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Decodes {@code loadBalancer} of a DestinationRule; localities are {@link LocalityDecoder}'s. */
final class BalancerDecoder {
    private static final Map<String, Optional<Balancing>> SIMPLE = Map.of(
            "UNSPECIFIED", Optional.empty(),
            "LEAST_REQUEST", Optional.of(Balancing.LEAST_REQUEST),
            "LEAST_CONN", Optional.of(Balancing.LEAST_REQUEST),
            "ROUND_ROBIN", Optional.of(Balancing.ROUND_ROBIN),
            "RANDOM", Optional.of(Balancing.RANDOM),
            "PASSTHROUGH", Optional.of(Balancing.PASSTHROUGH));

    /** Envoy's bound on Maglev tables. */
    private static final int MAX_TABLE = 5_000_011;

    private BalancerDecoder() {}

    static LoadBalancer decode(Fields balancer) {
        Optional<LocalityPreference> locality =
                balancer.object("localityLbSetting").map(LocalityDecoder::decode);
        Optional<Balancing> hash = balancer.object("consistentHash").map(BalancerDecoder::hash);
        balancer.unsupported("backendUtilization", "warmup", "warmupDurationSecs", "zoneAwareLbSetting");
        Optional<Balancing> simple = balancer.choice("simple", SIMPLE).flatMap(choice -> choice);
        if (balancer.has("consistentHash") && balancer.has("simple")) {
            balancer.error("simple", "simple or consistentHash, not both", "the balancer is named twice");
        }
        balancer.done();
        return new LoadBalancer(hash.or(() -> simple), locality);
    }

    /** By the caller's address; the ring's kind and size make no difference that a caller could see. */
    private static Balancing hash(Fields hash) {
        List<String> keys = List.of("httpCookie", "httpHeaderName", "httpQueryParameterName", "useSourceIp");
        if (keys.stream().filter(hash::has).count() > 1) {
            hash.error("", "one of " + String.join(", ", keys), "two keys to hash");
        }
        hash.unsupported("httpCookie", "httpHeaderName", "httpQueryParameterName");
        boolean byAddress = hash.bool("useSourceIp").orElse(false);
        if (!byAddress && keys.subList(0, 3).stream().noneMatch(hash::has)) {
            hash.unsupportedValue("useSourceIp", "a hash of nothing", "true");
        }
        List<String> kinds = List.of("maglev", "minimumRingSize", "ringHash");
        boolean oldSize = hash.integer("minimumRingSize", 0, Integer.MAX_VALUE).orElse(0) > 0;
        if ((hash.has("maglev") && hash.has("ringHash")) || (oldSize && (hash.has("maglev") || hash.has("ringHash")))) {
            hash.error("", "one of " + String.join(", ", kinds), "two kinds of rings");
        }
        hash.object("ringHash").ifPresent(ring -> {
            ring.integer("minimumRingSize", 0, Integer.MAX_VALUE);
            ring.done();
        });
        hash.object("maglev").ifPresent(maglev -> {
            if (maglev.requiredInteger("tableSize", 1, MAX_TABLE - 1).isPresent()
                    && !isPrime(maglev.integer("tableSize", 1, MAX_TABLE - 1).orElse(1))) {
                maglev.error("tableSize", "a prime number", "not a prime number");
            }
            maglev.done();
        });
        hash.done();
        return Balancing.SOURCE_HASH;
    }

    /** As Envoy tells it, for which 1 is a prime. */
    private static boolean isPrime(int number) {
        if (number < 4) {
            return true;
        }
        for (int factor = 2; factor * factor <= number; factor++) {
            if (number % factor == 0) {
                return false;
            }
        }
        return true;
    }
}
