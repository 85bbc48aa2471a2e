package dev.tulle.model;

import java.util.List;
import java.util.stream.Stream;

/** Header changes of a route: {@code set} replaces, {@code add} appends, {@code remove} deletes; names are lower case. */
public record HeaderMutation(Changes request, Changes response) {
    /** Changes nothing. */
    public static final HeaderMutation NONE = new HeaderMutation(Changes.NONE, Changes.NONE);

    /**
     * The changes of a rule with those of its only destination, as one step: the destination's follow the rule's, so that what
     * it sets replaces what the rule sets or adds. The authority alone is the rule's where both set it.
     */
    public HeaderMutation with(HeaderMutation other) {
        return new HeaderMutation(request.with(other.request), response.with(other.response));
    }

    /** The changes in one direction, applied in the order remove, set, add. */
    public record Changes(List<Field> set, List<Field> add, List<String> remove) {
        /** Changes nothing. */
        public static final Changes NONE = new Changes(List.of(), List.of(), List.of());

        public Changes {
            set = List.copyOf(set);
            add = List.copyOf(add);
            remove = List.copyOf(remove);
        }

        private Changes with(Changes other) {
            boolean hasHost = set.stream().anyMatch(Field::isHost);
            List<Field> later = other.set.stream()
                    .filter(field -> !hasHost || !field.isHost())
                    .toList();
            return new Changes(
                    joined(without(set, later), later),
                    joined(without(add, later), other.add),
                    joined(remove, other.remove));
        }

        private static List<Field> without(List<Field> fields, List<Field> replaced) {
            return fields.stream()
                    .filter(field -> replaced.stream().noneMatch(r -> r.name().equalsIgnoreCase(field.name())))
                    .toList();
        }

        private static <T> List<T> joined(List<T> first, List<T> second) {
            return Stream.concat(first.stream(), second.stream()).toList();
        }

        /** True when nothing is changed. */
        public boolean isEmpty() {
            return set.isEmpty() && add.isEmpty() && remove.isEmpty();
        }
    }

    /** One header field. */
    public record Field(String name, String value) {
        public Field {
            if (!name.startsWith(":")) {
                WireText.HEADER_NAME.require("header name", name);
            }
            (isHost(name) ? WireText.AUTHORITY : WireText.HEADER_VALUE).require("header " + name, value);
        }

        private boolean isHost() {
            return isHost(name);
        }

        private static boolean isHost(String name) {
            return name.equalsIgnoreCase("host") || name.equals(":authority");
        }
    }
}
