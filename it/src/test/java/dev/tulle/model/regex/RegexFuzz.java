package dev.tulle.model.regex;

import com.google.re2j.Pattern;
import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Regular expressions of users, each with a text behind a line end: refused with words, or made ready within bounds and of
 * the same opinion about the text as RE2's own matcher.
 */
public final class RegexFuzz {
    private RegexFuzz() {}

    /** One expression and one text. */
    public static void fuzzerTestOneInput(byte[] data) {
        String all = new String(data, StandardCharsets.UTF_8);
        int end = all.indexOf('\n');
        String regex = end < 0 ? all : all.substring(0, end);
        String text = end < 0 ? "" : all.substring(end + 1);
        Cost.within(data.length, 64_000_000, 200_000, () -> check(regex, text));
    }

    private static void check(String regex, String text) {
        Regex ready;
        try {
            ready = Regex.compile(regex);
        } catch (RegexException e) {
            Cost.must(e.getMessage() != null && !e.getMessage().isEmpty(), "a refusal without a word");
            Cost.must(!e.expected().isEmpty(), "a refusal without what is expected");
            return;
        }
        Cost.must(
                ready.matches(text) == Pattern.compile(regex).matcher(text).matches(),
                "another answer than RE2's: " + regex + " on " + text);
    }

    /** Expressions of all forms, those that grow when they are written out among them. */
    public static List<byte[]> seeds() {
        return List.of(
                        "/api/v[0-9]+/.*\n/api/v12/x",
                        "^(a|b)*?c{2,3}$\nabacc",
                        "((a{10}){10}){10}\na",
                        "[^\\]x-z]\\d\\pL\\p{Greek}\\x{10ffff}\na1b",
                        "(?i:abK)(?P<n>x)\\Q.\\E\nABkx.",
                        "(?m)^a$\\b\na",
                        "a{1000}\na",
                        "(((((((((x?)*)*)*)*)*)*)*)*)*\nx",
                        "[[:alpha:]]{0,99}\nabc")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
