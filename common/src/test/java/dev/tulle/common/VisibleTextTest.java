package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is left of text from outside. */
class VisibleTextTest {
    @ParameterizedTest
    @CsvSource(
            value = {
                "a plain word|a plain word",
                "Grüße, 世界 👋|Grüße, 世界 👋",
                "two\\nlines\\r\\n|two?lines??",
                "tab\\tand\\u0000|tab?and?",
                "\\u001b[2Jred|?[2Jred",
                "\\u0085\\u2028\\u2029|???",
                "abc\\u202edcba|abc?dcba",
                "half \\ud83d|half ?",
            },
            delimiter = '|')
    void onlyWhatCanBeSeen(String given, String shown) {
        assertEquals(shown, VisibleText.line(unescape(given), 1_000));
    }

    @ParameterizedTest
    @CsvSource({"abc,3,abc", "abcd,3,abc…", "ab👋c,3,ab…", "ab👋,4,ab👋", "abc,0,…"})
    void isCutBetweenCharacters(String given, int longest, String shown) {
        assertEquals(shown, VisibleText.line(given, longest));
    }

    private static String unescape(String text) {
        String plain = text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t");
        return Pattern.compile("\\\\u([0-9a-f]{4})").matcher(plain).replaceAll(found -> {
            return Character.toString((char) Integer.parseInt(found.group(1), 16));
        });
    }
}
