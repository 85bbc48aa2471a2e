package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Goal: a person who makes a mistake is told where it is, what was found and what was expected. Method: every file of
 * {@code broken/} says in its first line (or in a file {@code .expect} beside it) which problem must be reported:
 * {@code # expect: line | field | part of the message | part of the expectation}. What is too large for a file is made
 * here.
 */
class BrokenCorpusTest {
    private static final Path CORPUS = Path.of("src", "test", "resources", "broken");

    static Stream<Path> corpus() throws IOException {
        try (Stream<Path> files = Files.list(CORPUS)) {
            return files.filter(p -> !p.toString().endsWith(".expect")).sorted().toList().stream();
        }
    }

    @Test
    void theCorpusIsThere() throws IOException {
        assertTrue(corpus().count() >= 50);
    }

    @ParameterizedTest
    @MethodSource("corpus")
    void everyBrokenFileIsExplained(Path file) throws IOException {
        Path beside = Path.of(file.toString().replaceFirst("\\.[a-z]+$", ".expect"));
        String first = Files.readAllLines(Files.exists(beside) ? beside : file).getFirst();
        String[] expectation = first.replaceFirst("# expect: ", "").split("\\|", -1);
        ParsedManifest parsed = new ManifestParser().parse(file.toString(), Files.readAllBytes(file));
        List<Problem> problems = Validation.check(List.of(parsed));
        Problem found = problems.stream()
                .filter(Problem::isError)
                .filter(p -> p.line() == Integer.parseInt(expectation[0].strip())
                        && p.field().equals(expectation[1].strip())
                        && p.message().contains(expectation[2].strip())
                        && p.expected().contains(expectation[3].strip()))
                .findFirst()
                .orElseThrow(() -> new AssertionError("expected " + first + "\nreported " + problems));
        assertEquals(file.toString(), found.file());
        assertTrue(found.column() > 0);
        assertTrue(found.toString().startsWith(file + ":" + found.line() + ":"), found::toString);
    }

    private static Problem only(byte[] bytes) {
        ParsedManifest parsed =
                assertTimeoutPreemptively(Duration.ofSeconds(5), () -> new ManifestParser().parse("big.yaml", bytes));
        assertEquals(List.of(), parsed.resources());
        assertFalse(parsed.complete());
        assertEquals(1, parsed.problems().size(), parsed.problems()::toString);
        return parsed.problems().getFirst();
    }

    private static Problem only(String text) {
        return only(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void tenMegabytesAreRefusedUnread() {
        Problem problem = only("a: b\n".repeat(2 << 20));
        assertEquals("this file is too large and was not read", problem.message());
        assertEquals("10485760 bytes", problem.value());
        assertEquals("at most 1048576 bytes in one file", problem.expected());
    }

    @Test
    void anAliasBombIsRefused() {
        StringBuilder bomb = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++) {
            String alias = "*a" + (i - 1);
            bomb.append("a").append(i).append(": &a").append(i).append(" [");
            bomb.append(String.join(", ", java.util.Collections.nCopies(10, alias)))
                    .append("]\n");
        }
        Problem problem = only(bomb.toString());
        assertTrue(problem.message().contains("alias bomb"), problem::toString);
        assertEquals(6, problem.line());
    }

    @Test
    void anAliasToItselfIsRefused() {
        assertTrue(only("a: &a [*a]\n").message().contains("no anchor"));
    }

    @Test
    void deepNestingIsRefused() {
        assertTrue(only("[".repeat(100_000)).message().contains("too deeply"));
        assertTrue(only("{a: ".repeat(100_000)).message().contains("too deeply"));
        assertTrue(only("- ".repeat(100_000)).message().contains("too deeply"));
    }

    @Test
    void binaryJunkIsRefusedWithItsPlace() {
        byte[] junk = new byte[100_000];
        new Random(7).nextBytes(junk);
        Problem problem = only(junk);
        assertEquals("this file is not text", problem.message());
        assertTrue(problem.line() >= 1 && problem.column() >= 1);
        Problem zero = only("kind: VirtualService\nmetadata: {name: a\0b}\n");
        assertEquals(2, zero.line());
        assertEquals("\\x00", zero.value());
        Problem latin = only("kind: Service\nname: caf\u00e9\n".getBytes(StandardCharsets.ISO_8859_1));
        assertEquals(2, latin.line());
        assertEquals(10, latin.column());
        assertEquals("\\xe9", latin.value());
    }

    @Test
    void hugeScalarsAndNumbersAreQuick() {
        String digits = "9".repeat(900_000);
        ParsedManifest parsed = assertTimeoutPreemptively(Duration.ofSeconds(5), () -> new ManifestParser()
                .parse(
                        "x.yaml",
                        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: " + digits
                                + "}]}\n"));
        assertEquals("out of range", parsed.problems().getFirst().message());
        assertTrue(parsed.problems().getFirst().value().length() <= Problem.MAX_VALUE + 1);
    }

    @Test
    void manyProblemsAreCounted() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 5000; i++) {
            text.append("---\nkind: Nonsense\n");
        }
        ParsedManifest parsed = new ManifestParser().parse("x.yaml", text.toString());
        assertEquals(201, parsed.problems().size());
        assertTrue(parsed.problems().getLast().message().matches("and [0-9]+ more problems"));
    }

    @Test
    void aRegexThatWouldExplodeIsRefusedOrCheap() {
        for (String regex :
                List.of("(a{0,1000}){0,1000}", "((((a{100}){100}){100}){100})", "(x+x+)+y", "a".repeat(3000))) {
            String text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
                    + "spec: {hosts: [a], http: [{match: [{uri: {regex: '" + regex
                    + "'}}], redirect: {uri: /}}]}\n";
            ParsedManifest parsed =
                    assertTimeoutPreemptively(Duration.ofSeconds(5), () -> new ManifestParser().parse("x.yaml", text));
            assertEquals(regex.startsWith("(x"), parsed.isClean(), parsed.problems()::toString);
        }
    }
}
