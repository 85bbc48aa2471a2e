package dev.tulle.config;

import dev.tulle.model.Coding;
import dev.tulle.model.Compression;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The annotation {@code tulle.dev/compression}; each of its settings may be left out. */
final class CompressionDecoder {
    private static final String CODINGS = "encodings";
    private static final String TYPES = "contentTypes";

    private CompressionDecoder() {}

    static Compression decode(Fields settings) {
        Set<Coding> codings = new LinkedHashSet<>();
        for (Item item : settings.texts(CODINGS)) {
            Coding.of(item.text())
                    .ifPresentOrElse(
                            coding -> add(item, coding, codings),
                            () -> item.error(
                                    Stream.of(Coding.values())
                                            .map(Coding::token)
                                            .collect(Collectors.joining(", ", "one of ", "")),
                                    "not a coding that Tulle writes"));
        }
        Set<String> types = new LinkedHashSet<>();
        for (Item item : settings.texts(TYPES)) {
            String type = item.text().toLowerCase(Locale.ROOT);
            if (!isType(type)) {
                item.error("TYPE/SUBTYPE, without parameters and wildcards", "not a type of content");
            } else if (type.equals("application/grpc") || type.startsWith("application/grpc+")) {
                item.error("a type of whole bodies", "messages of gRPC are compressed by their own programs");
            } else {
                add(item, type, types);
            }
        }
        int minimum = settings.integer("minimumLength", 0, Integer.MAX_VALUE).orElse(Compression.MINIMUM);
        for (String list : List.of(CODINGS, TYPES)) {
            if (settings.isEmptyList(list)) {
                settings.error(list, "at least one, or no such field", "an empty list");
            }
        }
        settings.done();
        return new Compression(
                codings.isEmpty() ? Compression.CODINGS : new ArrayList<>(codings),
                types.isEmpty() ? Compression.TYPES : new ArrayList<>(types),
                minimum);
    }

    private static <T> void add(Item item, T value, Set<T> to) {
        if (!to.add(value)) {
            item.error("each once", "this is here twice");
        }
    }

    private static boolean isType(String type) {
        int slash = type.indexOf('/');
        return slash > 0
                && Words.isToken(type.substring(0, slash))
                && Words.isToken(type.substring(slash + 1))
                && type.indexOf('*') < 0;
    }
}
