package dev.tulle.config;

import dev.tulle.it.fuzz.Cost;
import dev.tulle.it.fuzz.Manifests;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** The file of the last good resources: read without an exception, and the same after it was written again. */
public final class LastGoodFuzz {
    private static final LastGood STORE = new LastGood(Optional.empty(), ManifestParser.Limits.DEFAULT);

    private LastGoodFuzz() {}

    /** One file. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 8_000_000, 40_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String text) {
        List<ConfigResource> resources = STORE.decode(text);
        List<ConfigResource> again = STORE.decode(LastGood.encode(resources));
        Cost.must(contents(again).equals(contents(resources)), "another content: " + resources);
    }

    private static List<String> contents(List<ConfigResource> resources) {
        return resources.stream()
                .map(resource -> resource.key() + " " + resource.ref().file() + " "
                        + resource.manifest().content())
                .toList();
    }

    /** A document of each kind, each as it is kept. */
    public static List<byte[]> seeds() {
        return Manifests.all().stream()
                .map(document -> ("---\n# from a.yaml\n" + new String(document, StandardCharsets.UTF_8))
                        .getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
