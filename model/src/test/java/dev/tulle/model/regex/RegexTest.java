package dev.tulle.model.regex;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Regular expressions: the same answers as RE2, and nothing that anybody writes is dear. */
class RegexTest {
    private static final List<String> ATOMS = List.of(
            "a",
            "b",
            "c",
            "k",
            "s",
            "K",
            "-",
            ".",
            "[ab]",
            "[^a]",
            "[a-c]",
            "[[:alpha:]]",
            "[[:^digit:]x]",
            "\\d",
            "\\D",
            "\\w",
            "\\W",
            "\\s",
            "\\pL",
            "\\p{Lu}",
            "\\PN",
            "\\p{Greek}",
            "[\\d_-]",
            "[^\\w]",
            "\\.",
            "\\x61",
            "\\x{e9}",
            "\\141",
            "\\n",
            "\\t",
            "(?i)a",
            "(?i:k)",
            "(?s).",
            "(?i)[k-s]",
            "^",
            "$",
            "\\b",
            "\\B",
            "(?m)^",
            "(?m)$",
            "\\A",
            "\\z",
            "\\Qa.b\\E",
            "é",
            "[]a]",
            "[a-]",
            "[\\]-a]",
            "x{2}",
            "{",
            "}",
            "]",
            "a{,2}",
            "_",
            "/",
            "(?-i)b",
            "(?U)a*",
            "(?i)[^k]",
            "(?i)\\w",
            "(?P<n>a)",
            "[é-ü]",
            "(?i)é");

    private static String expression(Random random, int depth) {
        StringBuilder out = new StringBuilder();
        int parts = 1 + random.nextInt(4);
        for (int i = 0; i < parts; i++) {
            if (depth > 0 && random.nextInt(10) < 3) {
                out.append(random.nextBoolean() ? "(" : "(?:").append(expression(random, depth - 1));
                out.append(random.nextInt(3) == 0 ? "|" + expression(random, depth - 1) : "")
                        .append(")");
            } else {
                out.append(ATOMS.get(random.nextInt(ATOMS.size())));
            }
            switch (random.nextInt(9)) {
                case 0 -> out.append('*');
                case 1 -> out.append('+');
                case 2 -> out.append('?');
                case 3 -> out.append("{" + random.nextInt(3) + "," + (2 + random.nextInt(3)) + "}");
                case 4 -> out.append("*?");
                default -> {}
            }
        }
        return out + (random.nextInt(6) == 0 ? "|" + expression(random, 0) : "");
    }

    private static String text(Random random) {
        String letters = "aabbcckKsS-./_ \n\t19xéÉ{}]αΩ\u212a\u017f";
        StringBuilder out = new StringBuilder();
        for (int i = random.nextInt(9); i > 0; i--) {
            out.append(letters.charAt(random.nextInt(letters.length())));
        }
        return out.toString();
    }

    @Test
    void answersAreThoseOfRe2() {
        long seed = Long.getLong("tulle.seed", System.nanoTime());
        Random random = new Random(seed);
        int matched = 0;
        for (int i = 0; i < 2500; i++) {
            String expression = expression(random, 3);
            boolean ignoreCase = random.nextInt(4) == 0;
            Pattern theirs;
            try {
                theirs = Pattern.compile(expression, ignoreCase ? Pattern.CASE_INSENSITIVE : 0);
            } catch (PatternSyntaxException e) {
                assertThrows(
                        RegexException.class, () -> Regex.compile(expression, ignoreCase), seed + ": " + expression);
                continue;
            }
            Regex ours;
            try {
                ours = Regex.compile(expression, ignoreCase);
            } catch (RegexException e) {
                assertTrue(String.valueOf(e.getMessage()).contains("dear"), seed + ": " + expression + ": " + e);
                continue;
            }
            for (int j = 0; j < 20; j++) {
                String text = text(random);
                boolean expected = theirs.matcher(text).matches();
                matched += expected ? 1 : 0;
                assertEquals(expected, ours.matches(text), seed + ": /" + expression + "/ on '" + text + "'");
            }
        }
        assertTrue(matched > 500, "too few texts matched to mean anything: " + matched);
    }

    @Test
    void whatIsTooDearIsRefusedByNameBeforeItCosts() {
        List<String> dear = List.of(
                "a{0,1000}",
                "(a{0,30}){0,60}",
                "((a{100}){100}){100}",
                "(((a{1000}){1000}){1000}){1000}",
                ".*a.{20}",
                "(a|b|ab)*c{0,500}.*",
                "a" + "?".repeat(2000),
                "(".repeat(1000) + "a" + ")".repeat(1000),
                "(?:".repeat(500) + "a" + ")?".repeat(500),
                "x".repeat(5000),
                "(?i)[^a]{0,900}",
                "(){600}",
                "(a?){300}",
                "(\\b|a*){200}",
                "(\\pL{0,99}|\\pN{0,99}){40}");
        for (String expression : dear) {
            long begun = System.nanoTime();
            RegexException refusal = assertThrows(RegexException.class, () -> Regex.compile(expression));
            long millis = (System.nanoTime() - begun) / 1_000_000;
            // Where a careless compiler needs seconds or the whole stack; a busy machine has ten times the usual.
            assertTrue(millis < 3_000, millis + " ms: " + expression);
            assertTrue(!refusal.expected().isEmpty(), expression);
        }
    }

    @Test
    void whatStopsAtCharactersMayBeRepeatedOften() {
        for (String expression : List.of(
                "[a-z]{1,63}(\\.[a-z]{1,63}){0,5}", "(a?b){1000}", "(?:/(?:[a-z]+|[0-9]+)?){100}", "(a?){200}")) {
            assertTrue(!Regex.compile(expression).matches("?"), expression);
        }
    }

    @Test
    void whatIsTakenCostsALookUpPerCharacter() {
        String path = "/" + "ab".repeat(4095);
        List<String> taken = List.of(
                "/api/v[0-9]+/users/.*",
                "([a-z0-9]{1,30}/?)*",
                "((a|b)?(a|b)?(a|b)?(a|b)?(a|b)?(a|b)?(a|b)?(a|b)?)*/?.*",
                ".*a.{8}",
                "(.*a){20}",
                "(x|[a-z]{1,63}(\\.[a-z]{1,63}){0,3})",
                ".*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}.*",
                "(\\w+/?)+\\.(js|css|png)");
        for (String expression : taken) {
            Regex regex = Regex.compile(expression);
            long best = Long.MAX_VALUE;
            for (int i = 0; i < 200; i++) {
                long begun = System.nanoTime();
                regex.matches(path);
                best = Math.min(best, System.nanoTime() - begun);
            }
            assertTrue(best < 1_000_000, best + " ns for 8 kB: " + expression);
        }
    }

    @Test
    void replacingIsForExpressionsThatNeedNoLookingAround() {
        assertEquals("/b/x", Regex.replacing("^/a/").matcher("/a/x").replaceFirst("/b/"));
        assertTrue(Regex.replacingFault("/([^/]+)/old/(.*)").isEmpty());
        assertTrue(Regex.replacingFault("(?:[a-z]?){30}x").isPresent());
        assertTrue(Regex.replacingFault("(").isPresent());
    }

    @Test
    void everyExpressionOfTheStackOfASmallThreadIsAnswered() throws InterruptedException {
        Throwable[] thrown = new Throwable[1];
        Thread small = new Thread(
                null,
                () -> {
                    Random random = new Random(7);
                    for (int i = 0; i < 300; i++) {
                        String nested = expression(random, 6).repeat(1 + random.nextInt(20));
                        assertEquals(
                                Regex.fault(nested).isPresent(),
                                Regex.fault(nested).isPresent());
                    }
                },
                "small",
                512 << 10);
        small.setUncaughtExceptionHandler((_, failure) -> thrown[0] = failure);
        small.start();
        small.join();
        assertEquals(null, thrown[0]);
    }
}
