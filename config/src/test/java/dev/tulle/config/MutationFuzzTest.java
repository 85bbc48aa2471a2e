package dev.tulle.config;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Goal: no text makes the parser, the cross check, the translation or the converter throw or stall. Method: good
 * manifests, mutated by a seeded generator: bytes, lines, words and whole subtrees are changed; a failure names its
 * seed.
 */
class MutationFuzzTest {
    /** More by {@code -Dtulle.fuzz.rounds=N}. */
    private static final int ROUNDS = Integer.getInteger("tulle.fuzz.rounds", 4000);

    private static final List<String> WORDS = List.of(
            "-1",
            "0",
            "1e400",
            "99999999999999999999",
            "true",
            "null",
            "~",
            "\"\"",
            "''",
            "{}",
            "[]",
            "[[]]",
            "{a: b}",
            "*",
            "*x",
            "&x y",
            "!!binary aGk=",
            "!x y",
            "|",
            ">-",
            "'",
            "\"",
            "%",
            "@",
            "`",
            "? x",
            ": ",
            "- -",
            "#",
            "\t",
            "\u0000",
            "\ufeff",
            "\u2028",
            "\ud83d\ude00",
            "..",
            "---",
            "...",
            "<<: *x",
            "0x7fffffffffffffff",
            ".inf",
            ".nan",
            "1_000",
            "a".repeat(300),
            "((((((",
            "a{1000}",
            "[^",
            "\\",
            "/",
            "*.*",
            "10.0.0.0/8",
            "::",
            "1:2:3:4:5:6:7:8",
            "999.1.1.1",
            "5s",
            "-5s",
            "9".repeat(50) + "h",
            "1h1h1h",
            ".s");

    private static final String[] SEEDS = {
        Fixtures.bookinfo("services.yaml"),
        Fixtures.bookinfo("destination-rules.yaml"),
        Fixtures.bookinfo("virtual-service-reviews-jason-v2.yaml"),
        Fixtures.bookinfo("virtual-service-ratings-delay-jason.yaml"),
        Fixtures.bookinfo("http-route-reviews-jason-v2.yaml"),
        Everything.VIRTUAL_SERVICE,
        Everything.DESTINATION_RULE,
        Everything.SERVICE_ENTRY,
        Everything.HTTP_ROUTE,
        Everything.GATEWAY_API,
        Everything.AUTHORIZATION_POLICY,
        Everything.ROUTE_RULE,
    };

    @Test
    void mutatedManifestsNeverThrowOrStall() {
        for (int round = 0; round < ROUNDS; round++) {
            int seed = round;
            Random random = new Random(seed);
            String text = SEEDS[random.nextInt(SEEDS.length)];
            int changes = 1 + random.nextInt(4);
            for (int i = 0; i < changes; i++) {
                text = mutate(text, random);
            }
            String mutated = text;
            try {
                if (seed % 500 == 0) {
                    assertTimeoutPreemptively(Duration.ofSeconds(5), () -> use(mutated));
                } else {
                    use(mutated);
                }
            } catch (RuntimeException | StackOverflowError | AssertionError e) {
                throw new AssertionError("seed " + seed + "\n" + mutated, e);
            }
        }
    }

    private static void use(String text) {
        long start = System.nanoTime();
        ParsedManifest parsed = new ManifestParser().parse("fuzz.yaml", text.getBytes(StandardCharsets.UTF_8));
        assertTrue(parsed.complete() || !parsed.isClean());
        for (Problem problem : Validation.check(List.of(parsed))) {
            assertTrue(problem.toString().length() < 4000, problem::toString);
        }
        ConfigSnapshot config = new ConfigSnapshot(parsed.resources(), List.of());
        Translation made = Translator.translate(config, Fixtures.bookinfoWorkloads(), Map.of(), Fixtures.vips());
        GatewayStatus.of(config, made.problems());
        for (ConfigResource resource : parsed.resources()) {
            String written = YamlWriter.write(resource.manifest().content());
            ParsedManifest again = new ManifestParser().parse("again.yaml", written);
            assertTrue(
                    again.isClean() && Acceptance.same(again.resources().getFirst(), resource),
                    () -> "written back differs:\n" + written + again.problems());
        }
        RouteRuleConverter.convert(Map.of("fuzz.yaml", text)).yaml();
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertTrue(millis < 2000, () -> "took " + millis + " ms");
    }

    private static String mutate(String text, Random random) {
        if (text.isEmpty()) {
            return "a";
        }
        List<String> lines = new ArrayList<>(Arrays.asList(text.split("\n", -1)));
        int line = random.nextInt(lines.size());
        int at = random.nextInt(text.length());
        String word = WORDS.get(random.nextInt(WORDS.size()));
        return switch (random.nextInt(9)) {
            case 0 ->
                text.substring(0, at) + (char) random.nextInt(random.nextBoolean() ? 128 : 65536) + text.substring(at);
            case 1 -> text.substring(0, at) + text.substring(Math.min(text.length(), at + 1 + random.nextInt(5)));
            case 2 -> text.substring(0, at) + word + text.substring(at);
            case 3 -> text.substring(0, at);
            case 4 -> {
                lines.remove(line);
                yield String.join("\n", lines);
            }
            case 5 -> {
                lines.add(line, lines.get(random.nextInt(lines.size())));
                yield String.join("\n", lines);
            }
            case 6 -> {
                String old = lines.get(line);
                int colon = old.indexOf(':');
                lines.set(line, colon < 0 ? word : old.substring(0, colon + 1) + " " + word);
                yield String.join("\n", lines);
            }
            case 7 -> {
                lines.set(
                        line,
                        (random.nextBoolean() ? "  " : "") + lines.get(line).stripLeading());
                yield String.join("\n", lines);
            }
            default -> {
                int from = random.nextInt(text.length());
                yield text.substring(0, at)
                        + text.substring(from, Math.min(text.length(), from + random.nextInt(80)))
                        + text.substring(at);
            }
        };
    }
}
