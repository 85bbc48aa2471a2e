package dev.tulle.agent.http;

import java.util.List;

/**
 * Conditions of a route or of a policy rule as the kernel looks at them; all must hold.
 *
 * @param pathKind how the path without the query is compared
 * @param path the pattern, ASCII, at most {@value HttpLimits#PATH} bytes; empty with {@link PathKind#ANY}
 * @param methods bits of {@link HttpMethod}; all of them mean any
 * @param fields conditions on header fields, at most {@value HttpLimits#FIELDS}
 */
public record HttpWhen(PathKind pathKind, String path, int methods, List<Field> fields) {
    /** Holds for every request. */
    public static final HttpWhen ANY = new HttpWhen(PathKind.ANY, "", HttpMethod.ALL, List.of());

    public HttpWhen {
        fields = List.copyOf(fields);
    }

    /** How a path is compared. */
    public enum PathKind {
        /** Not at all. */
        ANY(0),
        /** It is the pattern. */
        EXACT(1),
        /** It begins with these characters. */
        PREFIX(2),
        /** It is the pattern, or begins with it and a slash. */
        SEGMENT(3);

        private final int number;

        PathKind(int number) {
            this.number = number;
        }

        /** The kernel's number. */
        public int number() {
            return number;
        }
    }

    /**
     * A condition on a header field.
     *
     * @param name in lower case; {@code host} also stands for the authority
     * @param present true when any value will do
     * @param value the value to be equal to; empty with {@code present}
     * @param inverted true when the condition must not hold; an absent field satisfies an inverted one
     */
    public record Field(String name, boolean present, String value, boolean inverted) {
        @Override
        public String toString() {
            return (inverted ? "not " : "") + name + (present ? " present" : " = '" + value + "'");
        }
    }

    /** One line for people. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append(methods == HttpMethod.ALL ? "any method" : HttpMethod.words(methods));
        text.append(
                switch (pathKind) {
                    case ANY -> ", any path";
                    case EXACT -> " " + path;
                    case PREFIX -> " " + path + "*";
                    case SEGMENT -> " " + path + "[/*]";
                });
        fields.forEach(field -> text.append(", ").append(field));
        return text.toString();
    }
}
