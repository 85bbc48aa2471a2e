package dev.tulle.config;

import dev.tulle.it.fuzz.Cost;
import dev.tulle.it.fuzz.Manifests;
import dev.tulle.model.MeshState;
import java.util.List;
import java.util.Map;

/**
 * Configuration files: problems with a place and words, or resources, which translate without an exception and in the
 * same way twice.
 */
public final class ManifestFuzz {
    private static final ManifestParser PARSER = new ManifestParser();

    private ManifestFuzz() {}

    /** One file. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 4_000_000, 20_000, () -> check(data));
    }

    private static void check(byte[] data) {
        ParsedManifest parsed = PARSER.parse("f.yaml", data);
        for (Problem problem : ManifestChecker.check(List.of(parsed))) {
            Cost.must(problem.line() >= 0 && !problem.toString().isEmpty(), "a problem without a place: " + problem);
            Cost.must(problem.toString().indexOf('\n') < 0, "a problem of two lines: " + problem);
        }
        ConfigSnapshot snapshot = new ConfigSnapshot(parsed.resources(), List.of());
        MeshState state = translate(snapshot);
        Cost.must(translate(snapshot).equals(state), "translated differently the second time");
        for (var service : state.services().values()) {
            Cost.must(service.ports().size() == service.paths().size(), "a port without a path: " + service);
        }
    }

    private static MeshState translate(ConfigSnapshot snapshot) {
        return Translator.translate(snapshot, List.of(), Map.of(), (namespace, hostname) -> List.of("240.240.0.1"))
                .state();
    }

    /** A document of each kind. */
    public static List<byte[]> seeds() {
        return Manifests.all();
    }
}
