package dev.tulle.config;

import dev.tulle.model.MeshState;
import java.util.List;

/**
 * What configuration and registrations amount to.
 *
 * @param problems what only shows when configuration meets registered workloads, such as two protocols on one port
 * @param secrets the parts of Secrets that something refers to
 */
public record Translation(MeshState state, List<Problem> problems, List<SecretFile> secrets) {
    public Translation {
        problems = List.copyOf(problems);
        secrets = List.copyOf(secrets);
    }
}
