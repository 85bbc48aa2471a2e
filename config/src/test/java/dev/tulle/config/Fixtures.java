package dev.tulle.config;

import dev.tulle.common.Cidr;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.ResourceRef;
import dev.tulle.model.Workload;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Workloads and manifests that several tests share. */
final class Fixtures {
    private Fixtures() {}

    static VipAllocator vips() {
        return new HashedVipAllocator(Cidr.of("services", "240.240.0.0/16"), Map.of());
    }

    /** A workload of the namespace default with the labels app and version. */
    static Workload workload(String app, String version, String address, String... services) {
        return new Workload(
                "node1/default/" + app + "-" + version,
                app + "-" + version,
                "default",
                "bookinfo-" + app,
                "node1",
                List.of(address),
                Map.of("app", app, "version", version),
                List.of(services),
                List.of(new Workload.WorkloadPort(9080, AppProtocol.HTTP)),
                true,
                new ResourceRef("Registration", "default", app + "-" + version, "", 0));
    }

    static List<Workload> bookinfoWorkloads() {
        return List.of(
                workload("productpage", "v1", "100.64.0.10"),
                workload("details", "v1", "100.64.0.11"),
                workload("reviews", "v1", "100.64.0.12"),
                workload("reviews", "v2", "100.64.0.13"),
                workload("reviews", "v3", "100.64.0.14"),
                workload("ratings", "v1", "100.64.0.15"));
    }

    /** The text of a file of the Bookinfo sample's configuration. */
    static String bookinfo(String file) {
        try {
            return Files.readString(Path.of("..", "samples", "bookinfo", "config", file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Parses texts that must be right. */
    static ConfigSnapshot snapshot(String... texts) {
        List<ConfigResource> resources = new ArrayList<>();
        for (String text : texts) {
            ParsedManifest parsed = new ManifestParser().parse("test.yaml", text);
            if (!parsed.isClean()) {
                throw new AssertionError(parsed.problems().toString());
            }
            resources.addAll(parsed.resources());
        }
        return new ConfigSnapshot(resources, List.of());
    }

    static Translation translate(List<Workload> workloads, String... texts) {
        return Translator.translate(snapshot(texts), workloads, Map.of(), vips());
    }

    /** Lines joined to a text. */
    static String yaml(String... lines) {
        return String.join("\n", Arrays.asList(lines)) + "\n";
    }
}
