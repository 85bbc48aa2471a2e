package dev.tulle.it.fuzz;

import dev.tulle.config.ConfigResource;
import dev.tulle.config.ConfigSnapshot;
import dev.tulle.config.ManifestParser;
import dev.tulle.config.Translator;
import dev.tulle.model.MeshState;
import dev.tulle.model.Workload;
import dev.tulle.testkit.MeshLab;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Configuration to begin with: the samples, file by file and document by document. */
public final class Manifests {
    private static final String AUTHORIZATION = """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: p, namespace: default}
            spec:
              selector: {matchLabels: {app: reviews}}
              action: DENY
              rules:
              - from: [{source: {principals: ["cluster.local/ns/default/sa/a"], notNamespaces: [shop]}}]
                to: [{operation: {methods: [GET], paths: ["/a*"], notPorts: ["80"], hosts: ["*.b"]}}]
                when: [{key: "request.headers[x]", values: ["1", "2*"]}]
            """;

    private Manifests() {}

    /** All of them. */
    public static List<byte[]> all() {
        List<byte[]> texts = new ArrayList<>();
        try (Stream<Path> files = Files.walk(MeshLab.home().resolve("samples"))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".yaml")
                            && !path.toString().contains("/target/"))
                    .sorted()
                    .toList()) {
                for (String document : Files.readString(file).split("(?m)^---$")) {
                    texts.add(document.getBytes(StandardCharsets.UTF_8));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        texts.add(AUTHORIZATION.getBytes(StandardCharsets.UTF_8));
        texts.add("a: &x [1, *x]\nb: !!map {? [c] : d}\n".getBytes(StandardCharsets.UTF_8));
        texts.add("{\"kind\": \"Service\", \"apiVersion\": \"v1\"}".getBytes(StandardCharsets.UTF_8));
        return texts;
    }

    /** What the control plane makes of all of them. */
    public static MeshState translated(Collection<Workload> workloads) {
        List<ConfigResource> resources = new ArrayList<>();
        for (byte[] text : all()) {
            resources.addAll(new ManifestParser().parse("f.yaml", text).resources());
        }
        return Translator.translate(
                        new ConfigSnapshot(resources, List.of()),
                        workloads,
                        Map.of(),
                        (namespace, hostname) -> List.of("240.240.0.1"))
                .state();
    }
}
