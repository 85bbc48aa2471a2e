package dev.tulle.model.regex;

import dev.tulle.model.regex.Node.Assertion;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads RE2's syntax. Whether a text is right is RE2's to say; what is read here is only what a right text means. Groups
 * nest at most {@value #MAX_DEPTH} deep, so that nobody's stack can be filled.
 */
final class RegexParser {
    /** The deepest nesting of groups. */
    static final int MAX_DEPTH = 64;

    /** The largest number in a repetition, as in RE2. */
    private static final int MAX_REPEAT = 1000;

    private final String text;
    private int at;
    private int depth;
    private boolean ignoreCase;
    private boolean multiline;
    private boolean dotAll;

    private RegexParser(String text, boolean ignoreCase) {
        this.text = text;
        this.ignoreCase = ignoreCase;
    }

    /**
     * Reads an expression.
     *
     * @throws RegexException when groups nest too deeply or the text is not read to its end
     */
    static Node parse(String text, boolean ignoreCase) {
        RegexParser parser = new RegexParser(text, ignoreCase);
        Node node = parser.choice();
        if (parser.at < text.length()) {
            throw notRe2();
        }
        return node;
    }

    private boolean more() {
        return at < text.length();
    }

    private boolean looking(String next) {
        return text.startsWith(next, at);
    }

    private Node choice() {
        List<Node> parts = new ArrayList<>(List.of(sequence()));
        while (more() && text.charAt(at) == '|') {
            at++;
            parts.add(sequence());
        }
        return parts.size() == 1 ? parts.getFirst() : new Node.Choice(parts);
    }

    private Node sequence() {
        List<Node> parts = new ArrayList<>();
        while (more() && text.charAt(at) != '|' && text.charAt(at) != ')') {
            if (looking("\\Q")) {
                quoted(parts);
            } else {
                Node atom = atom();
                parts.add(repeated(atom));
            }
        }
        return switch (parts.size()) {
            case 0 -> new Node.Empty();
            case 1 -> parts.getFirst();
            default -> new Node.Sequence(parts);
        };
    }

    /** Literal text between {@code \Q} and {@code \E}; what follows may repeat its last character. */
    private void quoted(List<Node> parts) {
        int end = text.indexOf("\\E", at + 2);
        String literal = text.substring(at + 2, end < 0 ? text.length() : end);
        at = end < 0 ? text.length() : end + 2;
        literal.codePoints().forEach(c -> parts.add(literal(c)));
        if (!parts.isEmpty() && !literal.isEmpty()) {
            parts.add(repeated(parts.removeLast()));
        }
    }

    private Node repeated(Node atom) {
        Node node = atom;
        int stacked = 0;
        while (more()) {
            char c = text.charAt(at);
            if (c == '*') {
                node = new Node.Repeat(node, 0, Node.UNBOUNDED);
            } else if (c == '+') {
                node = new Node.Repeat(node, 1, Node.UNBOUNDED);
            } else if (c == '?') {
                node = new Node.Repeat(node, 0, 1);
            } else if (c == '{') {
                Node counted = counted(node);
                if (counted == null) {
                    return node;
                }
                node = counted;
            } else {
                return node;
            }
            at++;
            if (looking("?")) {
                // Which of several matches is preferred makes no difference to whether the whole text matches.
                at++;
            }
            if (++stacked > 1) {
                throw notRe2();
            }
        }
        return node;
    }

    /** Reads up to the closing brace; null when the brace is an ordinary character. */
    private @Nullable Node counted(Node node) {
        int close = text.indexOf('}', at);
        if (close < 0 || close - at > 10) {
            return null;
        }
        String[] bounds = text.substring(at + 1, close).split(",", -1);
        boolean numbers = bounds.length <= 2 && isNumber(bounds[0]) && (bounds.length == 1 || isBound(bounds[1]));
        if (!numbers) {
            return null;
        }
        int least = Integer.parseInt(bounds[0]);
        int most = bounds.length == 1 ? least : bounds[1].isEmpty() ? Node.UNBOUNDED : Integer.parseInt(bounds[1]);
        if (least > MAX_REPEAT || most > MAX_REPEAT || (most >= 0 && most < least)) {
            throw notRe2();
        }
        at = close;
        return new Node.Repeat(node, least, most);
    }

    private static boolean isBound(String text) {
        return text.isEmpty() || isNumber(text);
    }

    private static boolean isNumber(String text) {
        return !text.isEmpty() && text.length() <= 4 && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    private static RegexException notRe2() {
        return RegexException.notRe2("");
    }

    private static RegexException tooDeep() {
        return new RegexException(
                "this regular expression is nested too deeply", "at most " + MAX_DEPTH + " levels of groups");
    }

    private Node atom() {
        int c = text.codePointAt(at);
        switch (c) {
            case '(' -> {
                return group();
            }
            case '[' -> {
                at++;
                return new Node.One(characterClass());
            }
            case '.' -> {
                at++;
                return new Node.One(dotAll ? CharSets.ALL : CharSets.NOT_NEWLINE);
            }
            case '^' -> {
                at++;
                return new Node.Place(multiline ? Assertion.BEGIN_LINE : Assertion.BEGIN_TEXT);
            }
            case '$' -> {
                at++;
                return new Node.Place(multiline ? Assertion.END_LINE : Assertion.END_TEXT);
            }
            case '\\' -> {
                return escape();
            }
            default -> {
                at += Character.charCount(c);
                return literal(c);
            }
        }
    }

    private Node literal(int codePoint) {
        return new Node.One(folded(CharSet.of(codePoint, codePoint)));
    }

    private CharSet folded(CharSet set) {
        return ignoreCase ? CharSets.fold(set) : set;
    }

    private Node group() {
        if (++depth > MAX_DEPTH) {
            throw tooDeep();
        }
        boolean oldCase = ignoreCase;
        boolean oldMultiline = multiline;
        boolean oldDotAll = dotAll;
        at++;
        if (looking("?P<") || looking("?<")) {
            int end = text.indexOf('>', at);
            if (end < 0) {
                throw notRe2();
            }
            at = end + 1;
        } else if (looking("?")) {
            at++;
            if (flags()) {
                depth--;
                return new Node.Empty();
            }
        }
        Node node = choice();
        if (!looking(")")) {
            throw notRe2();
        }
        at++;
        depth--;
        ignoreCase = oldCase;
        multiline = oldMultiline;
        dotAll = oldDotAll;
        return node;
    }

    /** Reads flags; true when they stand alone and hold to the end of the group around them. */
    private boolean flags() {
        boolean on = true;
        while (more()) {
            char c = text.charAt(at++);
            switch (c) {
                case 'i' -> ignoreCase = on;
                case 'm' -> multiline = on;
                case 's' -> dotAll = on;
                case 'U' -> {}
                case '-' -> on = false;
                case ':' -> {
                    return false;
                }
                case ')' -> {
                    return true;
                }
                default -> throw notRe2();
            }
        }
        throw notRe2();
    }

    private Node escape() {
        if (at + 1 >= text.length()) {
            throw notRe2();
        }
        Assertion assertion =
                switch (text.charAt(at + 1)) {
                    case 'A' -> Assertion.BEGIN_TEXT;
                    case 'z' -> Assertion.END_TEXT;
                    case 'b' -> Assertion.WORD_BOUNDARY;
                    case 'B' -> Assertion.NO_WORD_BOUNDARY;
                    default -> null;
                };
        if (assertion != null) {
            at += 2;
            return new Node.Place(assertion);
        }
        CharSet named = namedSet();
        return named != null ? new Node.One(named) : literal(escapedCharacter());
    }

    /** {@code \d}, {@code \pL} and their like, at the backslash; null when it is another escape. */
    private @Nullable CharSet namedSet() {
        char c = at + 1 < text.length() ? text.charAt(at + 1) : 0;
        CharSet set =
                switch (Character.toLowerCase(c)) {
                    case 'd' -> CharSets.DIGIT;
                    case 's' -> CharSets.SPACE;
                    case 'w' -> CharSets.WORD;
                    default -> null;
                };
        if (set != null) {
            at += 2;
            CharSet folded = folded(set);
            return Character.isUpperCase(c) ? folded.complement() : folded;
        }
        return c == 'p' || c == 'P' ? unicodeSet(c == 'P') : null;
    }

    private CharSet unicodeSet(boolean negated) {
        at += 2;
        int end = looking("{") ? text.indexOf('}', at) : at;
        if (end < 0 || end >= text.length()) {
            throw notRe2();
        }
        String name = looking("{") ? text.substring(at + 1, end) : text.substring(at, at + 1);
        at = end + 1;
        boolean caret = name.startsWith("^");
        CharSet set = CharSets.unicode(caret ? name.substring(1) : name);
        if (set == null) {
            throw notRe2();
        }
        CharSet folded = folded(set);
        return negated != caret ? folded.complement() : folded;
    }

    /** One character written with a backslash. */
    private int escapedCharacter() {
        at++;
        if (!more()) {
            throw notRe2();
        }
        int c = text.codePointAt(at);
        at += Character.charCount(c);
        if (c == 'x') {
            return hexadecimal();
        }
        if (c >= '0' && c <= '7') {
            return octal(c - '0');
        }
        return switch (c) {
            case 'a' -> 7;
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'v' -> 11;
            default -> {
                if (c < 0x80 && Character.isLetterOrDigit(c)) {
                    throw notRe2();
                }
                yield c;
            }
        };
    }

    private int octal(int first) {
        int value = first;
        for (int i = 0; i < 2 && more() && text.charAt(at) >= '0' && text.charAt(at) <= '7'; i++) {
            value = value * 8 + text.charAt(at++) - '0';
        }
        return value;
    }

    private int hexadecimal() {
        boolean braces = looking("{");
        int end = braces ? text.indexOf('}', at) : at + 2;
        if (end < 0 || end > text.length() || end - at > 8) {
            throw notRe2();
        }
        String digits = text.substring(braces ? at + 1 : at, end);
        at = braces ? end + 1 : end;
        try {
            int value = Integer.parseInt(digits, 16);
            if (value < 0 || value > CharSet.MAX) {
                throw notRe2();
            }
            return value;
        } catch (NumberFormatException e) {
            throw notRe2();
        }
    }

    /** What stands between brackets; the opening one has been read. */
    private CharSet characterClass() {
        boolean negated = looking("^");
        if (negated) {
            at++;
        }
        List<CharSet> sets = new ArrayList<>();
        boolean first = true;
        while (more() && (first || text.charAt(at) != ']')) {
            first = false;
            CharSet named = looking("[:") ? posix() : looking("\\") ? namedSet() : null;
            if (named != null) {
                sets.add(named);
                continue;
            }
            int low = classCharacter();
            int high = low;
            if (looking("-") && at + 1 < text.length() && text.charAt(at + 1) != ']') {
                at++;
                high = classCharacter();
            }
            if (high < low) {
                throw notRe2();
            }
            sets.add(folded(CharSet.of(low, high)));
        }
        if (!more()) {
            throw notRe2();
        }
        at++;
        CharSet all = CharSet.union(sets);
        return negated ? all.complement() : all;
    }

    private int classCharacter() {
        if (!more()) {
            throw notRe2();
        }
        if (text.charAt(at) == '\\') {
            return escapedCharacter();
        }
        int c = text.codePointAt(at);
        at += Character.charCount(c);
        return c;
    }

    private @Nullable CharSet posix() {
        int end = text.indexOf(":]", at + 2);
        if (end < 0) {
            return null;
        }
        String name = text.substring(at + 2, end);
        boolean negated = name.startsWith("^");
        CharSet set = CharSets.posix(negated ? name.substring(1) : name);
        if (set == null) {
            throw notRe2();
        }
        at = end + 2;
        CharSet folded = folded(set);
        return negated ? folded.complement() : folded;
    }
}
