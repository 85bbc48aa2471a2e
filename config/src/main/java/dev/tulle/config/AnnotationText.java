package dev.tulle.config;

import dev.tulle.config.Tree.Entry;
import dev.tulle.config.Tree.Mapping;
import dev.tulle.config.Tree.Scalar;
import dev.tulle.config.Tree.Sequence;
import java.util.Optional;

/** Settings that stand in the text of one annotation, as JSON or YAML. */
final class AnnotationText {
    private static final ManifestParser.Limits LIMITS = new ManifestParser.Limits(1 << 16, 16, 1_000, 2);

    private AnnotationText() {}

    /** The annotations of a document. */
    static Optional<Fields> of(Fields document) {
        return document.object("metadata").flatMap(metadata -> metadata.object("annotations"));
    }

    /**
     * The mapping that an annotation is; none after a problem was reported.
     *
     * @param expected what it should be
     */
    static Optional<Fields> mapping(Fields annotations, String name, String expected) {
        Position at = annotations.position(name);
        YamlReader.Result read = YamlReader.read(annotations.string(name).orElse(""), LIMITS);
        if (read.trouble().isPresent()) {
            annotations.error(name, "JSON or YAML", read.trouble().get().message());
            return Optional.empty();
        }
        if (read.documents().size() != 1 || !(read.documents().getFirst() instanceof Mapping mapping)) {
            annotations.error(name, expected, "not one mapping");
            return Optional.empty();
        }
        return Optional.of(new Fields(annotations.findings(), (Mapping) at(mapping, at), at.field()));
    }

    /** A tree of the annotation's text, of which all stands where the annotation does. */
    private static Tree at(Tree tree, Position at) {
        return switch (tree) {
            case Scalar scalar -> at(scalar, at);
            case Sequence list ->
                new Sequence(list.items().stream().map(item -> at(item, at)).toList(), at.line(), at.column());
            case Mapping mapping ->
                new Mapping(
                        mapping.entries().stream()
                                .map(entry -> new Entry(at(entry.key(), at), at(entry.value(), at)))
                                .toList(),
                        at.line(),
                        at.column());
        };
    }

    private static Scalar at(Scalar scalar, Position at) {
        return new Scalar(scalar.text(), scalar.quoted(), at.line(), at.column());
    }
}
