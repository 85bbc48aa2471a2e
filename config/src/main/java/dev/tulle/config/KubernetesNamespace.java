package dev.tulle.config;

/** Kubernetes' Namespace, of which only the labels count: by them a Gateway may choose whose routes it takes. */
public record KubernetesNamespace(Manifest manifest) implements ConfigResource {
    static final String KIND = "Namespace";

    static ConfigResource decode(Manifest manifest, Fields document) {
        document.tolerate("spec");
        return new KubernetesNamespace(manifest);
    }
}
