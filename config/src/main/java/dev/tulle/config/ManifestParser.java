package dev.tulle.config;

import dev.tulle.model.ResourceRef;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads manifests (YAML with several documents, or JSON) into typed resources. A wrong document refuses only that
 * resource; no input makes it throw. Stateless, any thread.
 */
public final class ManifestParser {
    /** The namespace of a manifest that names none. */
    public static final String DEFAULT_NAMESPACE = "default";

    /** Problems of one file that are told one by one. */
    private static final int MAX_PROBLEMS = 200;

    private final Limits limits;
    private final Creation creation;

    /** When an object was made whose document does not say so. */
    interface Creation {
        Optional<String> timeOf(ResourceKey key);
    }

    /**
     * Bounds on one file.
     *
     * @param maxBytes larger files are refused before they are parsed
     * @param maxDepth levels of nesting
     * @param maxNodes values in one document, aliases written out
     * @param maxDocuments documents in one file
     */
    public record Limits(int maxBytes, int maxDepth, int maxNodes, int maxDocuments) {
        /** 1 MiB, 64 levels, 200,000 values, 10,000 documents. */
        public static final Limits DEFAULT = new Limits(1 << 20, 64, 200_000, 10_000);
    }

    public ManifestParser(Limits limits) {
        this(limits, _ -> Optional.empty());
    }

    ManifestParser(Limits limits, Creation creation) {
        this.limits = limits;
        this.creation = creation;
    }

    /** A parser with {@link Limits#DEFAULT}. */
    public ManifestParser() {
        this(Limits.DEFAULT);
    }

    /** The bounds in use. */
    public Limits limits() {
        return limits;
    }

    /**
     * Parses bytes, which must be UTF-8.
     *
     * @param file named in problems
     */
    public ParsedManifest parse(String file, byte[] bytes) {
        if (bytes.length > limits.maxBytes()) {
            return tooLarge(file, bytes.length);
        }
        try {
            return parse(
                    file,
                    StandardCharsets.UTF_8
                            .newDecoder()
                            .onMalformedInput(CodingErrorAction.REPORT)
                            .decode(ByteBuffer.wrap(bytes))
                            .toString());
        } catch (CharacterCodingException e) {
            return unreadable(file, firstBadByte(file, bytes));
        }
    }

    /** The answer for a file that was not even read because of its size. */
    public ParsedManifest tooLarge(String file, long size) {
        Findings findings = new Findings(file);
        findings.error(
                1,
                1,
                "",
                size + " bytes",
                "at most " + limits.maxBytes() + " bytes in one file",
                "this file is too large and was not read");
        return unreadable(file, findings);
    }

    /** The answer for a file that was not read because all files of its directory together would be too large. */
    public ParsedManifest tooMuch(String file, long size, long most) {
        Findings findings = new Findings(file);
        findings.error(
                1,
                1,
                "",
                size + " bytes",
                "at most " + most + " bytes in all files together",
                "there is no room for this file, so it was not read");
        return unreadable(file, findings);
    }

    private static ParsedManifest unreadable(String file, Findings findings) {
        return new ParsedManifest(file, List.of(), findings.problems(), Set.of(), false);
    }

    private static Findings firstBadByte(String file, byte[] bytes) {
        var decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT);
        ByteBuffer in = ByteBuffer.wrap(bytes);
        decoder.decode(in, java.nio.CharBuffer.allocate(bytes.length + 1), true);
        int at = Math.min(in.position(), bytes.length - 1);
        int line = 1;
        int column = 1;
        for (int i = 0; i < at; i++) {
            column = bytes[i] == '\n' ? 1 : column + 1;
            line += bytes[i] == '\n' ? 1 : 0;
        }
        Findings findings = new Findings(file);
        findings.error(
                line,
                column,
                "",
                String.format("\\x%02x", bytes[at] & 0xff),
                "YAML or JSON in UTF-8",
                "this file is not text");
        return findings;
    }

    /**
     * Parses text.
     *
     * @param file named in problems
     */
    public ParsedManifest parse(String file, String text) {
        if (text.length() > limits.maxBytes()) {
            return tooLarge(file, text.length());
        }
        YamlReader.Result read = YamlReader.read(withoutJsonTabs(text), limits);
        Reading reading = new Reading(file, creation);
        for (Tree document : read.documents()) {
            reading.document(document, "");
        }
        read.trouble().ifPresent(trouble -> {
            Findings findings = new Findings(file);
            findings.error(
                    trouble.line(), trouble.column(), "", trouble.value(), trouble.expected(), trouble.message());
            reading.problems.addAll(findings.problems());
            reading.complete = false;
        });
        return new ParsedManifest(
                file, reading.resources, capped(file, reading.problems), reading.refused, reading.complete);
    }

    /** A file of nothing but mistakes must not fill the memory with their descriptions. */
    private static List<Problem> capped(String file, List<Problem> problems) {
        if (problems.size() <= MAX_PROBLEMS) {
            return problems;
        }
        List<Problem> out = new ArrayList<>(problems.subList(0, MAX_PROBLEMS));
        Findings rest = new Findings(file);
        Problem last = problems.get(MAX_PROBLEMS);
        rest.error(
                last.line(), last.column(), "", "", "", "and " + (problems.size() - MAX_PROBLEMS) + " more problems");
        out.addAll(rest.problems());
        return out;
    }

    /** JSON may be indented by tabs, YAML may not; in JSON a tab is never part of a value, only its escape is. */
    private static String withoutJsonTabs(String text) {
        return text.stripLeading().startsWith("{") ? text.replace('\t', ' ') : text;
    }

    /** One file being read. */
    private static final class Reading {
        private final String file;
        private final Creation creation;
        private final List<ConfigResource> resources = new ArrayList<>();
        private final List<Problem> problems = new ArrayList<>();
        private final Set<ResourceKey> refused = new HashSet<>();
        private final Map<ResourceKey, Integer> lines = new HashMap<>();
        private boolean complete = true;

        Reading(String file, Creation creation) {
            this.file = file;
            this.creation = creation;
        }

        void document(Tree tree, String path) {
            if (tree instanceof Tree.Scalar scalar && scalar.type() == Tree.ScalarType.NULL) {
                return;
            }
            Findings findings = new Findings(file);
            if (!(tree instanceof Tree.Mapping mapping)) {
                findings.error(
                        tree, path, "a mapping with apiVersion, kind, metadata and spec", "this is not a resource");
                complete = false;
            } else {
                resource(findings, new Fields(findings, mapping, path), mapping);
            }
            problems.addAll(findings.problems());
        }

        private void resource(Findings findings, Fields fields, Tree.Mapping mapping) {
            String kind = fields.requiredString("kind");
            String apiVersion = fields.requiredString("apiVersion");
            if (kind.isEmpty()) {
                complete = false;
                return;
            }
            findings.resource(kind);
            if (kind.equals("List") && apiVersion.equals("v1")) {
                list(findings, fields, mapping);
                return;
            }
            boolean other = kind.equals("Secret") && apiVersion.equals("v1") && SecretDecoder.isOther(mapping);
            if (other || Kinds.isPassedOver(apiVersion, kind)) {
                Metadata.identity(fields, kind, mapping.line(), file)
                        .ifPresent(ref -> findings.resource(ResourceKey.of(ref).toString()));
                fields.warning("kind", "", "this kind does not concern the mesh and is passed over");
                return;
            }
            Optional<Kinds.Kind> known = Kinds.find(fields, apiVersion, kind);
            Optional<ResourceRef> identity = Metadata.identity(
                    fields, Kinds.nameOf(apiVersion, kind), Kinds.isNamespaced(kind), mapping.line(), file);
            if (identity.isEmpty()) {
                if (known.isPresent()) {
                    fields.requiredObject("metadata").ifPresent(Metadata::decode);
                }
                complete = false;
                return;
            }
            ResourceKey key = ResourceKey.of(identity.get());
            findings.resource(key.toString());
            Integer earlier = lines.putIfAbsent(key, mapping.line());
            if (earlier != null) {
                fields.error(
                        "metadata",
                        "each resource once",
                        "duplicate name: " + key + " is already defined at " + file + ":" + earlier);
                return;
            }
            if (known.isEmpty()) {
                // Its name is known, but no resource that could be in force can have it.
                complete = false;
                return;
            }
            if (!known.get().namespaced()) {
                fields.object("metadata")
                        .filter(metadata -> metadata.has("namespace"))
                        .ifPresent(metadata -> {
                            metadata.error("namespace", "no namespace", "objects of this kind are in no namespace");
                        });
            }
            Manifest manifest = new Manifest(
                    identity.get(),
                    apiVersion,
                    fields.requiredObject("metadata").map(Metadata::decode).orElse(Map.of()),
                    FilterAnnotations.of(fields, identity.get().kind()),
                    creation.timeOf(key)
                            .map(time -> Manifest.madeAt(time, mapping.object()))
                            .orElseGet(mapping::object));
            fields.tolerate("status");
            if (apiVersion.contains(".istio.io/") && !kind.equals("AuthorizationPolicy")) {
                DryRun.refuse(fields);
            }
            try {
                ConfigResource resource = known.get().decoder().decode(manifest, fields);
                fields.done();
                if (!findings.hasErrors()) {
                    resources.add(resource);
                }
            } catch (IllegalArgumentException e) {
                // A record of the model refuses what no decoder has found: still only this resource is wrong.
                fields.error("spec", "", String.valueOf(e.getMessage()));
            } catch (StackOverflowError | OutOfMemoryError e) {
                fields.error("spec", "", "this resource is too large to be read: " + e);
            }
            if (findings.hasErrors()) {
                refused.add(key);
            }
        }

        private void list(Findings findings, Fields fields, Tree.Mapping mapping) {
            fields.tolerate("metadata");
            if (mapping.get("items") instanceof Tree.Sequence items) {
                fields.tolerate("items");
                for (int i = 0; i < items.items().size(); i++) {
                    document(items.items().get(i), "items[" + i + "]");
                }
            } else {
                fields.objects("items");
            }
            fields.done();
            complete &= !findings.hasErrors();
        }
    }
}
