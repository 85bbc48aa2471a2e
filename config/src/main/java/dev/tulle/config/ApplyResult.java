package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.util.List;

/**
 * What became of an applied text.
 *
 * @param applied the resources that are now in force as applied, with the files that hold them
 * @param problems why others are not, and warnings about those that are
 */
public record ApplyResult(List<ResourceRef> applied, List<Problem> problems) {
    public ApplyResult {
        applied = List.copyOf(applied);
        problems = List.copyOf(problems);
    }

    /** True when nothing was refused. */
    public boolean isClean() {
        return problems.stream().noneMatch(Problem::isError);
    }
}
