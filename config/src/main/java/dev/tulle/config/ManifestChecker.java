package dev.tulle.config;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Checks manifests that are in no directory: what each says by itself, resources that are there twice, and what they say
 * of each other. Pure, any thread.
 */
public final class ManifestChecker {
    private ManifestChecker() {}

    /** What is wrong with these files together, ordered by file and line; nothing but warnings when they are valid. */
    public static List<Problem> check(List<ParsedManifest> manifests) {
        List<Problem> problems = new ArrayList<>();
        TreeMap<ResourceKey, ConfigResource> wanted = new TreeMap<>();
        for (ParsedManifest manifest : manifests) {
            problems.addAll(manifest.problems());
            for (ConfigResource resource : manifest.resources()) {
                ConfigResource earlier = wanted.putIfAbsent(resource.key(), resource);
                if (earlier != null) {
                    problems.add(Problems.duplicate(resource, earlier, ""));
                }
            }
        }
        problems.addAll(Acceptance.decide(wanted, Map.of()).problems());
        problems.sort(Comparator.comparing(Problem::file).thenComparingInt(Problem::line));
        return List.copyOf(problems);
    }

    /**
     * What these files name and none of them declares: services that only running workloads have are not known here.
     * Warnings only, ordered by file and line.
     */
    public static List<Problem> unresolved(List<ParsedManifest> manifests) {
        List<ConfigResource> resources = new ArrayList<>();
        manifests.forEach(manifest -> resources.addAll(manifest.resources()));
        ConfigSnapshot snapshot = new ConfigSnapshot(resources, List.of());
        List<Problem> problems =
                new ArrayList<>(Translator.translate(snapshot, List.of(), Map.of(), new NumberedVipAllocator())
                        .problems());
        problems.sort(Comparator.comparing(Problem::file).thenComparingInt(Problem::line));
        return List.copyOf(problems);
    }
}
