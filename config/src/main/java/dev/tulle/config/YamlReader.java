package dev.tulle.config;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.common.Anchor;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.DocumentStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.MappingStartEvent;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.events.SequenceStartEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;

/**
 * Turns YAML text (and so JSON) into {@link Tree}s. Built on the library's events, not on its object construction, so
 * that nesting, aliases and duplicate keys are bounded while the text is read, without recursion.
 */
final class YamlReader {
    private final ManifestParser.Limits limits;
    private final List<Tree> documents = new ArrayList<>();
    private final ArrayDeque<Frame> stack = new ArrayDeque<>();
    private final Map<Anchor, Tree> anchors = new HashMap<>();
    /** Nodes that a tree stands for once its aliases are written out. */
    private final IdentityHashMap<Tree, Long> sizes = new IdentityHashMap<>();

    private YamlReader(ManifestParser.Limits limits) {
        this.limits = limits;
    }

    /** What could be read: the documents up to the first syntax error, and that error. */
    record Result(List<Tree> documents, Optional<Trouble> trouble) {}

    /** Why the text cannot be read any further. */
    record Trouble(String message, String value, String expected, int line, int column) {}

    static Result read(String text, ManifestParser.Limits limits) {
        YamlReader reader = new YamlReader(limits);
        Trouble trouble = null;
        LoadSettings settings = LoadSettings.builder()
                .setCodePointLimit(limits.maxBytes())
                .setMaxAliasesForCollections(Integer.MAX_VALUE)
                .build();
        try {
            for (Event event : new Parse(settings).parseString(text)) {
                reader.accept(event);
            }
        } catch (Refused e) {
            trouble = e.trouble;
        } catch (MarkedYamlEngineException e) {
            Mark mark = e.getProblemMark().or(e::getContextMark).orElse(null);
            trouble = new Trouble(
                    "this is not YAML: " + e.getProblem(),
                    "",
                    "",
                    mark == null ? 1 : mark.getLine() + 1,
                    mark == null ? 1 : mark.getColumn() + 1);
        } catch (RuntimeException e) {
            // The library reports some malformed texts (control characters, wrong escapes and directives) by other
            // unchecked exceptions, not all of them its own.
            trouble = reader.withoutMark(text, e);
        }
        return new Result(reader.documents, Optional.ofNullable(trouble));
    }

    private Trouble withoutMark(String text, RuntimeException e) {
        int line = 1;
        int column = 1;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\n') {
                line++;
                column = 1;
            } else if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f) {
                return new Trouble(
                        "this is not YAML: a control character",
                        String.format("\\x%02x", (int) c),
                        "text",
                        line,
                        column);
            } else {
                column++;
            }
        }
        String message = e.getMessage();
        String first = message == null
                ? e.getClass().getSimpleName()
                : message.lines().findFirst().orElse("");
        return new Trouble("this is not YAML: " + first, "", "", 1, 1);
    }

    /** Leaves the event loop; carries no stack because it is an expected outcome. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final transient Trouble trouble;

        Refused(Trouble trouble) {
            super(trouble.message(), null, false, false);
            this.trouble = trouble;
        }
    }

    private static Refused refuse(Event at, String message, String value, String expected) {
        Mark mark = at.getStartMark().orElse(null);
        return new Refused(new Trouble(
                message,
                value,
                expected,
                mark == null ? 1 : mark.getLine() + 1,
                mark == null ? 1 : mark.getColumn() + 1));
    }

    /** A collection that is still open. */
    private static final class Frame {
        final @Nullable List<Tree> items;
        final @Nullable List<Tree.Entry> entries;
        final Set<String> names = new HashSet<>();
        final Optional<Anchor> anchor;
        final Tree tree;
        Tree.@Nullable Scalar key;
        long size = 1;
        /** True for a pair in a list that has no braces. */
        boolean bare;

        boolean plainKey;
        /** What the pair is instead, when it turns out to be an address. */
        Tree.@Nullable Scalar address;

        Frame(boolean mapping, Optional<Anchor> anchor, int line, int column) {
            this.anchor = anchor;
            if (mapping) {
                List<Tree.Entry> list = new ArrayList<>();
                entries = list;
                items = null;
                tree = new Tree.Mapping(list, line, column);
            } else {
                List<Tree> list = new ArrayList<>();
                items = list;
                entries = null;
                tree = new Tree.Sequence(list, line, column);
            }
        }
    }

    private void accept(Event event) {
        switch (event.getEventId()) {
            case DocumentStart -> {
                anchors.clear();
                sizes.clear();
                if (((DocumentStartEvent) event).isExplicit() && documents.size() >= limits.maxDocuments()) {
                    throw refuse(event, "too many documents in one file", "", "at most " + limits.maxDocuments());
                }
            }
            case MappingStart -> open(event, true, ((MappingStartEvent) event).getTag());
            case SequenceStart -> open(event, false, ((SequenceStartEvent) event).getTag());
            case MappingEnd, SequenceEnd -> {
                Frame frame = stack.pop();
                Tree.Scalar address = frame.address;
                if (address != null && frame.size == 3) {
                    sizes.put(address, 1L);
                    attach(event, address, 1);
                    return;
                }
                frame.anchor.ifPresent(anchor -> anchors.put(anchor, frame.tree));
                sizes.put(frame.tree, frame.size);
                attach(event, frame.tree, frame.size);
            }
            case Scalar -> {
                ScalarEvent scalar = (ScalarEvent) event;
                String tag = scalar.getTag().orElse("");
                if (!tag.isEmpty() && !tag.equals("!") && !tag.equals("tag:yaml.org,2002:str")) {
                    throw refuse(event, "YAML tags are not allowed here", tag, "a value without a tag");
                }
                Tree.Scalar tree = new Tree.Scalar(
                        scalar.getValue(), !scalar.isPlain() || !tag.isEmpty(), line(event), column(event));
                scalar.getAnchor().ifPresent(anchor -> anchors.put(anchor, tree));
                sizes.put(tree, 1L);
                noteAddress(scalar, tree);
                attach(event, tree, 1);
            }
            case Alias -> {
                Anchor anchor = ((NodeEvent) event).getAnchor().orElseThrow();
                Tree target = anchors.get(anchor);
                if (target == null) {
                    throw refuse(
                            event,
                            "this alias names no anchor above it",
                            "*" + ((AliasEvent) event).getAlias(),
                            "the name of an anchor that is complete");
                }
                attach(event, target, sizes.getOrDefault(target, 1L));
            }
            default -> {
                // Stream and document ends carry nothing.
            }
        }
    }

    /**
     * {@code [2001:db8::]} is a list of one pair without a value to YAML 1.2, and a list of one text to the YAML that
     * kubectl reads: the address that was meant.
     */
    private void noteAddress(ScalarEvent scalar, Tree.Scalar value) {
        Frame frame = stack.peek();
        if (frame == null
                || !frame.bare
                || !frame.plainKey
                || frame.size != 2
                || !value.text().isEmpty()) {
            return;
        }
        Tree.Scalar key = frame.key;
        int next = scalar.getStartMark()
                .filter(mark -> mark.getPointer() < mark.getBuffer().length)
                .map(mark -> mark.getBuffer()[mark.getPointer()])
                .orElse(0);
        if (key != null && !value.quoted() && (next == ',' || next == ']')) {
            frame.address = new Tree.Scalar(key.text() + ":", false, key.line(), key.column());
        }
    }

    private void open(Event event, boolean mapping, Optional<String> tag) {
        String found = tag.orElse("");
        if (!found.isEmpty() && !found.equals("!")) {
            throw refuse(event, "YAML tags are not allowed here", found, "a value without a tag");
        }
        if (stack.size() >= limits.maxDepth()) {
            throw refuse(event, "nested too deeply", "", "at most " + limits.maxDepth() + " levels");
        }
        Frame owner = stack.peek();
        Frame frame = new Frame(mapping, ((NodeEvent) event).getAnchor(), line(event), column(event));
        frame.bare = mapping
                && owner != null
                && owner.items != null
                && event.getStartMark()
                        .map(Mark::getIndex)
                        .equals(event.getEndMark().map(Mark::getIndex));
        stack.push(frame);
    }

    private void attach(Event event, Tree tree, long size) {
        Frame frame = stack.peek();
        if (frame == null) {
            documents.add(tree);
            return;
        }
        frame.size += size;
        if (frame.size > limits.maxNodes()) {
            throw refuse(
                    event,
                    "too large when its aliases are written out (an alias bomb?)",
                    "",
                    "at most " + limits.maxNodes() + " values in one document");
        }
        if (frame.items != null) {
            frame.items.add(tree);
            return;
        }
        Tree.Scalar key = frame.key;
        if (key != null) {
            frame.key = null;
            if (frame.entries != null) {
                frame.entries.add(new Tree.Entry(key, tree));
            }
        } else if (tree instanceof Tree.Scalar name) {
            if (!frame.names.add(name.text())) {
                throw refuse(event, "this key is here twice", name.text(), "each key once in a mapping");
            }
            frame.plainKey = !name.quoted();
            frame.key = new Tree.Scalar(name.text(), true, line(event), column(event));
        } else {
            throw refuse(event, "a key must be a name", tree.shown(), "a string");
        }
    }

    private static int line(Event event) {
        return event.getStartMark().map(mark -> mark.getLine() + 1).orElse(1);
    }

    private static int column(Event event) {
        return event.getStartMark().map(mark -> mark.getColumn() + 1).orElse(1);
    }
}
