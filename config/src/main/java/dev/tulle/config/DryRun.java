package dev.tulle.config;

import java.util.Set;

/** Reads Istio's annotation that has an AuthorizationPolicy tried out: its verdicts are not enforced. */
final class DryRun {
    static final String ANNOTATION = "istio.io/dry-run";

    /** Go's words for true and false. */
    private static final Set<String> TRUE = Set.of("1", "t", "T", "true", "TRUE", "True");

    private static final Set<String> FALSE = Set.of("0", "f", "F", "false", "FALSE", "False");

    private DryRun() {}

    /** Whether a policy is only tried out; an annotation that says neither is reported. */
    static boolean decode(Fields document) {
        return document.object("metadata")
                .flatMap(metadata -> metadata.object("annotations"))
                .map(annotations -> {
                    String word = annotations.string(ANNOTATION).orElse("false");
                    if (!TRUE.contains(word) && !FALSE.contains(word)) {
                        annotations.error(ANNOTATION, "\"true\" or \"false\"", "unknown value");
                    } else if (TRUE.contains(word)) {
                        annotations.warning(
                                ANNOTATION, "no such annotation for a policy in force", "a dry run: nobody is refused");
                    }
                    return TRUE.contains(word);
                })
                .orElse(false);
    }

    /** Reports the annotation on another kind of Istio's, where it means nothing. */
    static void refuse(Fields document) {
        document.object("metadata")
                .flatMap(metadata -> metadata.object("annotations"))
                .filter(annotations -> annotations.has(ANNOTATION))
                .ifPresent(annotations -> annotations.error(
                        ANNOTATION, "no such annotation", "only an AuthorizationPolicy can be tried out"));
    }
}
