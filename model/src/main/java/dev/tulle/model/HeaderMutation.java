package dev.tulle.model;

import java.util.List;
import java.util.stream.Stream;

/** Header changes of a route: {@code set} replaces, {@code add} appends, {@code remove} deletes; names are lower case. */
public record HeaderMutation(Changes request, Changes response) {
    /** Changes nothing. */
    public static final HeaderMutation NONE = new HeaderMutation(Changes.NONE, Changes.NONE);

    /** These changes and then others, as one step: of two that set one field the other's counts. */
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
            return new Changes(joined(set, other.set), joined(add, other.add), joined(remove, other.remove));
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
            boolean host = name.equalsIgnoreCase("host") || name.equals(":authority");
            (host ? WireText.AUTHORITY : WireText.HEADER_VALUE).require("header " + name, value);
        }
    }
}
