package dev.tulle.config;

import com.google.re2j.Pattern;
import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Regular expressions of users: refused with words, or compiled within bounds and matched in linear time. */
public final class RegexFuzz {
    private static final String TEXT =
            "/a/bb/ccc/0123/%2e/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab".repeat(8);

    private RegexFuzz() {}

    /** One expression. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 40_000_000, 40_000, () -> check(new String(data, StandardCharsets.UTF_8)));
    }

    private static void check(String regex) {
        var fault = Regexes.check(regex);
        if (fault.isPresent()) {
            Cost.must(
                    !fault.get().message().isEmpty() && !fault.get().expected().isEmpty(), "a refusal without a word");
            return;
        }
        Pattern pattern = Pattern.compile(regex);
        boolean found = pattern.matches(TEXT);
        Cost.must(pattern.matcher(TEXT).matches() == found, "two answers");
    }

    /** Expressions of all forms, those that grow when they are written out among them. */
    public static List<byte[]> seeds() {
        return List.of(
                        "/api/v[0-9]+/.*",
                        "^(a|b)*?c{2,3}$",
                        "((a{10}){10}){10}",
                        "[^\\]x-z]\\d\\pL\\p{Greek}\\x{10ffff}",
                        "(?i:abc)(?P<n>x)\\Q.\\E",
                        "a{1000}",
                        "(((((((((x?)*)*)*)*)*)*)*)*)*",
                        "[[:alpha:]]{0,999}")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .toList();
    }
}
