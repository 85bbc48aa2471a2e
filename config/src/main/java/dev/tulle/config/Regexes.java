package dev.tulle.config;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.ArrayDeque;
import java.util.Optional;

/**
 * Checks regular expressions before anyone compiles them for good. RE2 matches in linear time, but nested repetitions
 * ({@code ((a{100}){100}){100}}) are written out when compiled, so their size is computed first. Pure.
 */
final class Regexes {
    /** The longest regular expression, in characters. */
    static final int MAX_LENGTH = 2048;

    /** The largest expression once its repetitions are written out, in single steps. */
    private static final long MAX_SIZE = 10_000;

    /** The deepest nesting of groups. */
    private static final int MAX_DEPTH = 64;

    private Regexes() {}

    /** What is wrong, and what would be right. */
    record Fault(String message, String expected) {}

    static Optional<Fault> check(String regex) {
        if (regex.length() > MAX_LENGTH) {
            return Optional.of(
                    new Fault("this regular expression is too long", "at most " + MAX_LENGTH + " characters"));
        }
        if (isTooLarge(regex)) {
            return Optional.of(new Fault(
                    "this regular expression is too large when its repetitions are written out",
                    "at most " + MAX_SIZE + " steps and " + MAX_DEPTH + " nested groups"));
        }
        try {
            Pattern.compile(regex);
            return Optional.empty();
        } catch (PatternSyntaxException e) {
            return Optional.of(
                    new Fault("not a regular expression: " + e.getDescription(), "a regular expression in RE2 syntax"));
        }
    }

    /** Size of one group: what is complete, and the last atom, which a repetition may still multiply. */
    private static final class Group {
        long sum;
        long last;

        void atom(long size) {
            sum += last;
            last = size;
        }
    }

    private static boolean isTooLarge(String regex) {
        ArrayDeque<Group> stack = new ArrayDeque<>();
        stack.push(new Group());
        int at = 0;
        while (at < regex.length()) {
            Group group = stack.getFirst();
            char c = regex.charAt(at);
            switch (c) {
                case '(' -> stack.push(new Group());
                case ')' -> {
                    if (stack.size() > 1) {
                        stack.pop();
                        stack.getFirst().atom(Math.max(1, group.sum + group.last));
                    }
                }
                case '[' -> {
                    group.atom(1);
                    at = endOfClass(regex, at);
                }
                case '\\' -> {
                    group.atom(1);
                    at = endOfEscape(regex, at);
                }
                case '{' -> group.last = Math.max(1, group.last) * repetitions(regex, at);
                // A stacked repetition nests once more for each character.
                case '*', '+', '?' -> group.last += 1;
                default -> group.atom(1);
            }
            if (stack.size() > MAX_DEPTH || stack.getFirst().sum + stack.getFirst().last > MAX_SIZE) {
                return true;
            }
            at++;
        }
        return false;
    }

    /** The larger number of {@code {n,m}}; 1 where the brace is an ordinary character. */
    private static long repetitions(String regex, int open) {
        int close = regex.indexOf('}', open);
        if (close < 0) {
            return 1;
        }
        long most = 1;
        for (String part : regex.substring(open + 1, close).split(",", -1)) {
            if (!part.isEmpty() && part.length() <= 6 && part.chars().allMatch(c -> c >= '0' && c <= '9')) {
                most = Math.max(most, Long.parseLong(part));
            }
        }
        return most;
    }

    private static int endOfClass(String regex, int open) {
        int at = open + 1;
        if (at < regex.length() && regex.charAt(at) == '^') {
            at++;
        }
        if (at < regex.length() && regex.charAt(at) == ']') {
            at++;
        }
        while (at < regex.length() && regex.charAt(at) != ']') {
            at += regex.charAt(at) == '\\' ? 2 : 1;
        }
        return at;
    }

    private static int endOfEscape(String regex, int backslash) {
        int next = backslash + 1;
        if (next + 1 < regex.length() && "pPx".indexOf(regex.charAt(next)) >= 0 && regex.charAt(next + 1) == '{') {
            int close = regex.indexOf('}', next);
            return close < 0 ? next : close;
        }
        return next;
    }
}
