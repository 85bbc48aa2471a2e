package dev.tulle.config;

import dev.tulle.config.DestinationRule.Subset;
import dev.tulle.config.DestinationRule.TrafficPolicy;
import dev.tulle.model.ResourceRef;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The DestinationRules in force for one host, put together as Istio does: the subsets of all, of two with one name the older
 * rule's, and the traffic policy of the oldest rule that has one.
 *
 * @param rules the oldest first; none where no rule is about the host
 */
record HostRules(List<DestinationRule> rules) {
    HostRules {
        rules = List.copyOf(rules);
    }

    /** A subset and the rule that declares it. */
    record Declared(Subset subset, DestinationRule rule) {}

    /** For all endpoints. */
    TrafficPolicy policy() {
        return speaker().map(DestinationRule::policy).orElse(TrafficPolicy.NONE);
    }

    /** The object that {@link #policy()} is from. */
    Optional<ResourceRef> origin() {
        return speaker().map(ConfigResource::ref);
    }

    /** The rule whose traffic policy counts. */
    Optional<DestinationRule> speaker() {
        return rules.stream()
                .filter(rule -> !rule.policy().equals(TrafficPolicy.NONE))
                .findFirst();
    }

    /** Each subset once. */
    List<Declared> subsets() {
        Set<String> names = new HashSet<>();
        List<Declared> out = new ArrayList<>();
        for (DestinationRule rule : rules) {
            for (Subset subset : rule.subsets()) {
                if (names.add(subset.name())) {
                    out.add(new Declared(subset, rule));
                }
            }
        }
        return out;
    }
}
