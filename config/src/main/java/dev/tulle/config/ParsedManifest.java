package dev.tulle.config;

import java.util.List;
import java.util.Set;

/**
 * What one file holds.
 *
 * @param resources those that are right by themselves
 * @param problems everything found wrong, in the order of the file
 * @param refused the resources that are in the file but wrong
 * @param complete false when some document could not even be told apart (not YAML, no kind, no name), so that it is
 *     unknown which resources the file was meant to hold
 */
public record ParsedManifest(
        String file,
        List<ConfigResource> resources,
        List<Problem> problems,
        Set<ResourceKey> refused,
        boolean complete) {
    public ParsedManifest {
        resources = List.copyOf(resources);
        problems = List.copyOf(problems);
        refused = Set.copyOf(refused);
    }

    /** True when nothing was refused. */
    public boolean isClean() {
        return problems.stream().noneMatch(Problem::isError);
    }
}
