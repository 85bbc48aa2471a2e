package dev.tulle.config;

import dev.tulle.config.Problem.Severity;
import dev.tulle.model.EdgeTls;
import dev.tulle.model.ResourceRef;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The Secrets that other objects name, as files of which the proxies are told. Only what is named becomes a file. As in
 * Istio, authorities are in a Secret of the same name with {@code -cacert} behind it, or in the one that is named.
 */
final class Credentials {
    private static final String COMPANION = "-cacert";
    private static final int DIGEST_BYTES = 16;

    private final Path folder;
    private final Map<String, Secret> secrets = new HashMap<>();
    private final List<ReferenceGrant> grants = new ArrayList<>();
    private final TreeMap<Path, SecretFile> files = new TreeMap<>();
    private final List<Problem> problems;
    private final Set<Position> reported = new HashSet<>();

    /** A certificate's file and that of its key. */
    record Pair(String certificate, String key) {}

    /** @param folder where the proxies find the files */
    Credentials(Collection<ConfigResource> resources, Path folder, List<Problem> problems) {
        this.folder = folder;
        this.problems = problems;
        for (ConfigResource resource : resources) {
            if (resource instanceof Secret secret) {
                secrets.put(secret.namespace() + "/" + secret.name(), secret);
            } else if (resource instanceof ReferenceGrant grant) {
                grants.add(grant);
            }
        }
    }

    /** Those that were asked for. */
    List<SecretFile> files() {
        return List.copyOf(files.values());
    }

    /** TLS of callers as far as it ends here; empty also where a Secret does not hold what it needs, which was reported. */
    Optional<EdgeTls> edge(ResourceRef by, ServerTls tls) {
        return switch (tls) {
            case ServerTls.None _, ServerTls.Passing _ -> Optional.empty();
            case ServerTls.Files files -> Optional.of(files.files());
            case ServerTls.Named named -> edge(by, named);
            case ServerTls.Referenced referenced ->
                pair(by, referenced).map(pair -> new EdgeTls(pair.certificate(), pair.key(), "", false));
        };
    }

    private Optional<EdgeTls> edge(ResourceRef by, ServerTls.Named named) {
        Optional<Pair> pair = pair(by, named.secret(), named.position());
        Optional<String> authorities =
                named.mutual() ? authorities(by, named.secret(), named.position()) : Optional.of("");
        return pair.isPresent() && authorities.isPresent()
                ? Optional.of(
                        new EdgeTls(pair.get().certificate(), pair.get().key(), authorities.get(), named.onlyNewest()))
                : Optional.empty();
    }

    private Optional<Pair> pair(ResourceRef by, ServerTls.Referenced referenced) {
        String namespace = referenced.namespace();
        String name = referenced.secret();
        if (!ReferenceGrant.permitted(grants, by, namespace, "Secret", name)) {
            problems.add(Problems.at(
                            Severity.WARNING,
                            by,
                            referenced.position(),
                            name,
                            "a Secret of the namespace " + by.namespace() + ", or a ReferenceGrant in " + namespace
                                    + " for kind " + Kinds.written(by.kind()) + " of " + by.namespace(),
                            "a Secret of another namespace, which does not permit this: nobody is served until it does")
                    .as(Warning.NOT_GRANTED));
            return Optional.empty();
        }
        Optional<Secret> secret = Optional.ofNullable(secrets.get(namespace + "/" + name));
        return pair(by, name, referenced.position(), secret, namespace);
    }

    /** The certificate and key of a Secret; empty, which was reported, when there are none. */
    Optional<Pair> pair(ResourceRef by, String name, Position at) {
        return pair(by, name, at, find(by.namespace(), name), usual(by));
    }

    private Optional<Pair> pair(ResourceRef by, String name, Position at, Optional<Secret> secret, String where) {
        Optional<Secret.Pair> held = secret.flatMap(Secret::pair);
        if (held.isEmpty()) {
            report(by, at, name, secret, where, "a certificate and its key (tls.crt, tls.key)");
            return Optional.empty();
        }
        String digest = digest(held.get().certificate() + "\n" + held.get().key());
        return Optional.of(new Pair(
                file(secret.get(), digest + ".crt", held.get().certificate()),
                file(secret.get(), digest + ".key", held.get().key())));
    }

    /** The authorities of a Secret; empty, which was reported, when there are none. */
    Optional<String> authorities(ResourceRef by, String name, Position at) {
        for (String one : List.of(name + COMPANION, name)) {
            Optional<Secret> secret = find(by.namespace(), one)
                    .filter(found -> !found.authorities().isEmpty());
            if (secret.isPresent()) {
                String text = secret.get().authorities();
                return Optional.of(file(secret.get(), digest(text) + ".ca", text));
            }
        }
        report(
                by,
                at,
                name,
                find(by.namespace(), name),
                usual(by),
                "authorities (ca.crt), or a Secret " + name + COMPANION);
        return Optional.empty();
    }

    /** A file that there never is: who is to use it says so. */
    String missing(ResourceRef by, String name) {
        return folder.resolve(by.namespace()).resolve(name).resolve("missing").toString();
    }

    /** As with policies, the object's own namespace goes before the mesh's. */
    private Optional<Secret> find(String namespace, String name) {
        return java.util.stream.Stream.concat(
                        java.util.stream.Stream.of(namespace),
                        IstioAuthorization.ROOT_NAMESPACES.stream().sorted())
                .flatMap(of -> Optional.ofNullable(secrets.get(of + "/" + name)).stream())
                .findFirst();
    }

    private String file(Secret secret, String name, String content) {
        Path file = folder.resolve(secret.namespace()).resolve(secret.name()).resolve(name);
        files.putIfAbsent(file, new SecretFile(file, content));
        return file.toString();
    }

    /** The namespaces in which {@link #find} looks. */
    private static String usual(ResourceRef by) {
        return by.namespace() + ", istio-system or tulle-system";
    }

    private void report(ResourceRef by, Position at, String name, Optional<Secret> found, String where, String what) {
        if (!reported.add(new Position(at.line(), at.column(), by + at.field() + what))) {
            return;
        }
        problems.add(Problems.at(
                        Severity.WARNING,
                        by,
                        at,
                        name,
                        "a Secret of the namespace " + where + " that has " + what,
                        found.isPresent()
                                ? found.get().ref() + " has none: nobody is served until it has"
                                : "no such Secret: nobody is served until it comes")
                .as(Warning.NO_SECRET));
    }

    private static String digest(String text) {
        try {
            byte[] all = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(all, 0, DIGEST_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
