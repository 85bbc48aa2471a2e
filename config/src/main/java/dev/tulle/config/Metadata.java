package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.util.Map;
import java.util.Optional;

/** Decodes {@code metadata}. */
final class Metadata {
    private Metadata() {}

    /** Who the document is about, as far as that can be told; reports nothing. */
    static Optional<ResourceRef> identity(Fields document, String kind, int line, String file) {
        return identity(document, kind, true, line, file);
    }

    /** The same of a kind whose objects may be in no namespace. */
    static Optional<ResourceRef> identity(Fields document, String kind, boolean namespaced, int line, String file) {
        Optional<Fields> metadata = new Fields(new Findings(file), document.node(), "").object("metadata");
        if (metadata.isEmpty()) {
            return Optional.empty();
        }
        String name = metadata.get().string("name").orElse("");
        if (!namespaced) {
            return Words.isDnsName(name) ? Optional.of(new ResourceRef(kind, "", name, file, line)) : Optional.empty();
        }
        String namespace = metadata.get().has("namespace")
                ? metadata.get().string("namespace").orElse("")
                : ManifestParser.DEFAULT_NAMESPACE;
        return Words.isDnsName(name) && Words.isDnsLabel(namespace)
                ? Optional.of(new ResourceRef(kind, namespace, name, file, line))
                : Optional.empty();
    }

    /** Checks everything and returns the labels. */
    static Map<String, String> decode(Fields metadata) {
        String name = metadata.requiredString("name");
        if (!name.isEmpty() && !Words.isDnsName(name)) {
            metadata.error("name", "lower-case letters, digits, '-' and '.', at most 253", "not a name");
        }
        metadata.string("namespace").ifPresent(namespace -> {
            if (!Words.isDnsLabel(namespace)) {
                metadata.error("namespace", "lower-case letters, digits and '-', at most 63", "not a namespace");
            }
        });
        Map<String, String> labels = IstioFields.labels(metadata, "labels");
        metadata.stringMap("annotations");
        metadata.tolerate(
                "creationTimestamp",
                "deletionGracePeriodSeconds",
                "deletionTimestamp",
                "finalizers",
                "generateName",
                "generation",
                "managedFields",
                "ownerReferences",
                "resourceVersion",
                "selfLink",
                "uid");
        metadata.done();
        return labels;
    }
}
