package dev.tulle.config;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;

/** Checks manifests by themselves, without a mesh: what {@code tulle validate} needs for files and directories. Pure. */
public final class Validation {
    private Validation() {}

    /**
     * Everything that is wrong in the manifests and between them, ordered by file and line.
     *
     * @param manifests all manifests that belong together
     */
    public static List<Problem> check(Collection<ParsedManifest> manifests) {
        List<Problem> problems = new ArrayList<>();
        TreeMap<ResourceKey, ConfigResource> resources = new TreeMap<>();
        for (ParsedManifest manifest : manifests) {
            problems.addAll(manifest.problems());
            for (ConfigResource resource : manifest.resources()) {
                ConfigResource earlier = resources.putIfAbsent(resource.key(), resource);
                if (earlier != null) {
                    problems.add(Problems.duplicate(resource, earlier, ""));
                }
            }
        }
        CrossValidator.check(resources.values()).forEach(finding -> problems.add(finding.problem()));
        problems.sort(Comparator.comparing(Problem::file).thenComparingInt(Problem::line));
        return List.copyOf(problems);
    }
}
