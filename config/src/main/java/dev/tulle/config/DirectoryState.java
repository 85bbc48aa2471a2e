package dev.tulle.config;

import dev.tulle.config.FileSet.Entry;
import dev.tulle.config.Problem.Severity;
import dev.tulle.model.ResourceRef;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What of a directory is in force: combines the files with the last good version of what is wrong in them, and changes
 * the files when something is applied or deleted. Owner thread only.
 */
final class DirectoryState {
    private final FileSet files;
    /** The last good version of every resource; what {@link Acceptance} falls back to. */
    private final TreeMap<ResourceKey, ConfigResource> inForce = new TreeMap<>();

    private String directoryTrouble = "";

    private final LastGood lastGood;

    DirectoryState(FileSet files, LastGood lastGood) {
        this.files = files;
        this.lastGood = lastGood;
    }

    /** After a start: what an earlier process had in force in place of what is wrong in the files. */
    void restore() {
        lastGood.read().forEach(resource -> inForce.put(resource.key(), resource));
    }

    /** Why the directory cannot be read; empty when it can. */
    void directoryTrouble(String message) {
        directoryTrouble = message;
    }

    /** Takes over the files as they are now. */
    ConfigSnapshot next() {
        List<Problem> problems = new ArrayList<>();
        if (!directoryTrouble.isEmpty()) {
            problems.add(new Problem(Severity.ERROR, files.shown(""), 0, 0, "", "", "", "", directoryTrouble));
        }
        files.entries().forEach(entry -> problems.addAll(entry.parsed().problems()));
        Acceptance.Result result = Acceptance.decide(wanted(problems), inForce);
        problems.addAll(result.problems());
        inForce.clear();
        inForce.putAll(result.resources());
        lastGood.write(heldBack());
        problems.sort(Comparator.comparing(Problem::file).thenComparingInt(Problem::line));
        return new ConfigSnapshot(inForce.values(), problems);
    }

    /** Resources in force that no file holds in this form. */
    private List<ConfigResource> heldBack() {
        Map<ResourceKey, ConfigResource> rest = new TreeMap<>(inForce);
        for (Entry entry : files.entries()) {
            for (ConfigResource resource : entry.parsed().resources()) {
                ConfigResource current = rest.get(resource.key());
                if (current != null && Acceptance.same(current, resource)) {
                    rest.remove(resource.key());
                }
            }
        }
        return List.copyOf(rest.values());
    }

    /** The latest readable version of each resource. */
    private SortedMap<ResourceKey, ConfigResource> wanted(List<Problem> problems) {
        TreeMap<ResourceKey, ConfigResource> wanted = new TreeMap<>();
        for (Entry entry : files.entries()) {
            for (ConfigResource resource : entry.parsed().resources()) {
                ConfigResource earlier = wanted.get(resource.key());
                if (earlier == null) {
                    wanted.put(resource.key(), resource);
                    continue;
                }
                // The one that is in force stays, whatever the files are called.
                ConfigResource current = inForce.get(resource.key());
                boolean later = current != null
                        && current.ref().file().equals(resource.ref().file());
                ConfigResource kept = later ? resource : earlier;
                ConfigResource refused = later ? earlier : resource;
                wanted.put(resource.key(), kept);
                problems.add(Problems.duplicate(refused, kept, ", which stays in force"));
            }
        }
        for (Entry entry : files.entries()) {
            ParsedManifest parsed = entry.parsed();
            inForce.forEach((key, resource) -> {
                boolean here = resource.ref().file().equals(parsed.file());
                if (here && (!parsed.complete() || parsed.refused().contains(key))) {
                    wanted.putIfAbsent(key, resource);
                }
            });
        }
        return wanted;
    }

    /** Notes when applied objects were made: those that are there keep what they say. */
    ManifestParser.Creation creation(Instant now) {
        Map<ResourceKey, ConfigResource> there = new HashMap<>(inForce);
        Set<ResourceKey> held = new HashSet<>();
        for (Entry entry : files.entries()) {
            for (ConfigResource resource : entry.parsed().resources()) {
                if (held.add(resource.key())) {
                    there.put(resource.key(), resource);
                }
            }
            held.addAll(entry.parsed().refused());
        }
        return key -> there.containsKey(key)
                ? Manifest.creationTimestamp(there.get(key).manifest().content())
                : Optional.of(now.toString());
    }

    /** What applying would report. */
    ApplyResult validate(List<ParsedManifest> manifests) {
        return judge(manifests).result();
    }

    /** What would be in force if the manifests were applied. */
    ConfigSnapshot preview(List<ParsedManifest> manifests) {
        return new ConfigSnapshot(judge(manifests).accepted(), List.of());
    }

    /** Which resources of some manifests can come into force together, and what there is to say. */
    private record Judgement(
            List<ConfigResource> acceptable, Collection<ConfigResource> accepted, ApplyResult result) {}

    private Judgement judge(List<ParsedManifest> manifests) {
        List<Problem> problems = new ArrayList<>();
        SortedMap<ResourceKey, ConfigResource> wanted = wanted(new ArrayList<>());
        Map<ResourceKey, ConfigResource> given = new LinkedHashMap<>();
        Set<String> files = new HashSet<>();
        for (ParsedManifest manifest : manifests) {
            problems.addAll(manifest.problems());
            files.add(manifest.file());
            for (ConfigResource resource : manifest.resources()) {
                ConfigResource earlier = given.putIfAbsent(resource.key(), resource);
                if (earlier != null) {
                    problems.add(Problems.duplicate(resource, earlier, ""));
                }
            }
        }
        wanted.putAll(given);
        Acceptance.Result decision = Acceptance.decide(wanted, inForce);
        SortedMap<ResourceKey, ConfigResource> accepted = decision.resources();
        decision.problems().stream().filter(p -> files.contains(p.file())).forEach(problems::add);
        List<ConfigResource> acceptable = new ArrayList<>();
        List<ResourceRef> refs = new ArrayList<>();
        for (ConfigResource resource : given.values()) {
            ConfigResource there = accepted.get(resource.key());
            if (there != null && Acceptance.same(there, resource)) {
                acceptable.add(resource);
                refs.add(resource.ref());
            }
        }
        problems.sort(Comparator.comparing(Problem::file).thenComparingInt(Problem::line));
        return new Judgement(acceptable, accepted.values(), new ApplyResult(refs, problems));
    }

    /** Writes what can come into force; the caller then takes over the files. */
    ApplyResult apply(List<ParsedManifest> manifests) {
        Judgement judgement = judge(manifests);
        List<Problem> problems = new ArrayList<>(judgement.result().problems());
        List<ResourceRef> applied = new ArrayList<>();
        for (ConfigResource resource : judgement.acceptable()) {
            try {
                String name = write(resource);
                applied.add(files.holderOf(resource.key())
                        .flatMap(e -> e.parsed().resources().stream()
                                .filter(r -> r.key().equals(resource.key()))
                                .findFirst())
                        .map(ConfigResource::ref)
                        .orElse(new ResourceRef(
                                resource.ref().kind(), resource.namespace(), resource.name(), files.shown(name), 1)));
            } catch (IOException e) {
                problems.add(new Problem(
                        Severity.ERROR,
                        resource.ref().file(),
                        resource.ref().line(),
                        1,
                        resource.key().toString(),
                        "",
                        "",
                        "",
                        "cannot be written: " + e.getMessage()));
            }
        }
        return new ApplyResult(applied, problems);
    }

    private String write(ConfigResource resource) throws IOException {
        String document = YamlWriter.write(resource.manifest().content());
        Optional<Place> place = placeOf(resource.key());
        if (place.isPresent()) {
            Place at = place.get();
            files.write(at.name(), at.documents().replace(at.index(), document));
            return at.name();
        }
        String name = ownName(resource.key());
        Optional<Entry> there = files.entry(name);
        if (there.isPresent() && !there.get().parsed().resources().isEmpty()) {
            files.write(
                    name, there.get().text() + (there.get().text().endsWith("\n") ? "" : "\n") + "---\n" + document);
        } else {
            files.write(name, document);
        }
        return name;
    }

    /** Removes a resource from its file; the caller then takes over the files. */
    boolean delete(ResourceKey key) throws IOException {
        Optional<Place> place = placeOf(key);
        if (place.isEmpty()) {
            return false;
        }
        Place at = place.get();
        String rest = at.documents().remove(at.index());
        boolean empty = rest.lines().allMatch(line -> line.isBlank() || line.startsWith("#") || line.equals("---"));
        if (empty) {
            files.delete(at.name());
        } else {
            files.write(at.name(), rest);
        }
        inForce.remove(key);
        return true;
    }

    /** The document of a resource in a file. */
    private record Place(String name, Documents documents, int index) {}

    private Optional<Place> placeOf(ResourceKey key) throws IOException {
        Optional<Entry> holder = files.holderOf(key);
        if (holder.isEmpty()) {
            return Optional.empty();
        }
        String file = holder.get().parsed().file();
        String name = file.substring(file.lastIndexOf('/') + 1);
        Documents documents = Documents.of(holder.get().text());
        ManifestParser parser = new ManifestParser();
        for (int i = 0; i < documents.size(); i++) {
            ParsedManifest chunk = parser.parse(file, documents.chunk(i));
            Map<ResourceKey, Boolean> keys = new HashMap<>();
            chunk.resources().forEach(r -> keys.put(r.key(), true));
            chunk.refused().forEach(k -> keys.put(k, true));
            if (keys.containsKey(key)) {
                if (keys.size() > 1) {
                    throw new IOException(key + " is part of a List in " + file + "; change it in that file");
                }
                return Optional.of(new Place(name, documents, i));
            }
        }
        throw new IOException(key + " cannot be told apart in " + file + "; change it in that file");
    }

    /** The name of the file of its own that a resource gets. */
    static String ownName(ResourceKey key) {
        String name = key.kind().toLowerCase(java.util.Locale.ROOT) + "." + key.namespace() + "." + key.name();
        int max = 200;
        if (name.length() > max) {
            name = name.substring(0, max) + "." + Integer.toHexString(name.hashCode());
        }
        return name + ".yaml";
    }
}
