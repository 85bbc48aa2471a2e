package dev.tulle.config;

import dev.tulle.config.CrossValidator.Finding;
import dev.tulle.config.Problem.Severity;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Decides which resources come into force together: the wanted ones, except that a change which breaks the agreement
 * between resources is held back, and the version that was in force before stays. Pure.
 */
final class Acceptance {
    private final TreeMap<ResourceKey, ConfigResource> accepted;
    private final List<Problem> problems = new ArrayList<>();

    private Acceptance(SortedMap<ResourceKey, ConfigResource> wanted) {
        this.accepted = new TreeMap<>(wanted);
    }

    /** What comes into force, and why something does not. */
    record Result(SortedMap<ResourceKey, ConfigResource> resources, List<Problem> problems) {}

    /**
     * Decides.
     *
     * @param wanted the latest version of each resource
     * @param inForce what was in force until now
     */
    static Result decide(SortedMap<ResourceKey, ConfigResource> wanted, Map<ResourceKey, ConfigResource> inForce) {
        Acceptance acceptance = new Acceptance(wanted);
        Set<ResourceKey> settled = new HashSet<>();
        // Each round takes back or drops at least one resource, so this ends after at most two rounds per resource.
        List<Finding> findings = CrossValidator.check(acceptance.accepted.values());
        while (findings.stream().anyMatch(f -> f.problem().isError())) {
            for (Finding finding : findings) {
                if (finding.problem().isError() && settled.add(finding.resource())) {
                    acceptance.takeBack(finding, inForce);
                } else if (finding.problem().isError()) {
                    acceptance.drop(finding);
                }
            }
            findings = CrossValidator.check(acceptance.accepted.values());
        }
        findings.forEach(finding -> acceptance.problems.add(finding.problem()));
        return new Result(acceptance.accepted, acceptance.problems);
    }

    private void takeBack(Finding finding, Map<ResourceKey, ConfigResource> inForce) {
        ResourceKey key = finding.resource();
        ConfigResource current = accepted.get(key);
        if (current == null) {
            return;
        }
        ConfigResource earlier = inForce.get(key);
        if (earlier != null && !same(earlier, current)) {
            problems.add(finding.problem());
            accepted.put(key, earlier);
            return;
        }
        // The resource itself has not changed: a partner did, and the change of the partner is held back.
        boolean blamed = false;
        for (ResourceKey partner : finding.partners()) {
            ConfigResource changed = accepted.get(partner);
            ConfigResource before = inForce.get(partner);
            if (earlier != null && changed != null && before != null && !same(before, changed)) {
                accepted.put(partner, before);
                problems.add(new Problem(
                        Severity.ERROR,
                        changed.ref().file(),
                        changed.ref().line(),
                        1,
                        partner.toString(),
                        "",
                        finding.problem().value(),
                        finding.problem().expected(),
                        "this change would break " + current.ref() + ", field "
                                + finding.problem().field()));
                blamed = true;
            }
        }
        if (!blamed) {
            drop(finding);
        }
    }

    private void drop(Finding finding) {
        if (!problems.contains(finding.problem())) {
            problems.add(finding.problem());
        }
        accepted.remove(finding.resource());
    }

    /** Equal but for the place in the file. */
    static boolean same(ConfigResource a, ConfigResource b) {
        return a.manifest().content().equals(b.manifest().content());
    }
}
