package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import dev.tulle.model.ResourceRef;

/** Makes problems of resources that were already read. */
final class Problems {
    private Problems() {}

    /** A warning about a resource as a whole. */
    static Problem about(ResourceRef ref, String field, String value, String expected, String message) {
        return new Problem(
                Severity.WARNING,
                ref.file(),
                ref.line(),
                ref.line() > 0 ? 1 : 0,
                ResourceKey.of(ref).toString(),
                field,
                value,
                expected,
                message);
    }

    /** A problem at a place in a resource. */
    static Problem at(
            Severity severity, ResourceRef ref, Position position, String value, String expected, String message) {
        return new Problem(
                severity,
                ref.file(),
                position.line(),
                position.column(),
                ResourceKey.of(ref).toString(),
                position.field(),
                value,
                expected,
                message);
    }

    /** One resource in two places. */
    static Problem duplicate(ConfigResource refused, ConfigResource kept, String consequence) {
        ResourceRef ref = refused.ref();
        return new Problem(
                Severity.ERROR,
                ref.file(),
                ref.line(),
                1,
                refused.key().toString(),
                "metadata.name",
                refused.name(),
                "each resource once",
                "duplicate name: the same resource is in " + kept.ref().file() + ":"
                        + kept.ref().line() + consequence);
    }
}
