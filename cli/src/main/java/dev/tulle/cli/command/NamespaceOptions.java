package dev.tulle.cli.command;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.cli.client.Json;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which namespaces a list shows. A picocli mixin. */
final class NamespaceOptions {
    static final String DEFAULT = "default";

    @Option(
            names = {"-n", "--namespace"},
            paramLabel = "NS",
            description = "Only this namespace. Default: default.")
    private @Nullable String namespace;

    @Option(
            names = {"-A", "--all-namespaces"},
            description = "Every namespace.")
    private boolean all;

    /** The namespace, or null for every one. */
    @Nullable
    String selected() {
        if (all) {
            return null;
        }
        return namespace == null ? DEFAULT : namespace;
    }

    /** The namespace to work in where exactly one is needed. */
    String one() {
        return namespace == null ? DEFAULT : namespace;
    }

    /** Keeps the elements of the selected namespaces. */
    JsonArray filter(JsonElement elements) {
        JsonArray kept = new JsonArray();
        String only = selected();
        for (JsonObject element : Json.objects(elements)) {
            if (only == null
                    || !element.has("namespace")
                    || Json.text(element, "namespace").equals(only)) {
                kept.add(element);
            }
        }
        return kept;
    }
}
