package dev.tulle.model;

import java.util.List;

/** Header changes of a route: {@code set} replaces, {@code add} appends, {@code remove} deletes; names are lower case. */
public record HeaderMutation(Changes request, Changes response) {
    /** Changes nothing. */
    public static final HeaderMutation NONE = new HeaderMutation(Changes.NONE, Changes.NONE);

    /** The changes in one direction, applied in the order remove, set, add. */
    public record Changes(List<Field> set, List<Field> add, List<String> remove) {
        /** Changes nothing. */
        public static final Changes NONE = new Changes(List.of(), List.of(), List.of());

        public Changes {
            set = List.copyOf(set);
            add = List.copyOf(add);
            remove = List.copyOf(remove);
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
