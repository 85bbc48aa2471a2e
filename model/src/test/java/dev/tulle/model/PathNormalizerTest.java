package dev.tulle.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Shows normal forms of paths: what Envoy's {@code normalize_path} makes of them. */
class PathNormalizerTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            quoteCharacter = '"',
            value = {
                "/public/../admin/x /admin/x",
                "/./admin/x /admin/x",
                "/public\\..\\admin/x /admin/x",
                "\\admin /admin",
                "/public/%2e%2E/admin/x /admin/x",
                "/public/.%2e/admin/x /admin/x",
                "/%61dmin/%7euser /admin/~user",
                "/a/.. /",
                "/a/../ /",
                "/a/b/. /a/b/",
                "/a/b/.. /a/",
                "/../../a /a",
                "/.. /",
                "/. /",
                "/a//../b /a/b",
                "/%%32e%%32e/x%61 /%%32e%%32e/xa",
                "//../a /a",
                "/a/%2e/%2e%2e/b /b",
            })
    void folds(String path, String expected) {
        assertEquals(expected, PathNormalizer.normalize(path));
    }

    @ParameterizedTest
    @CsvSource({
        "/",
        "*",
        "/a.b/..c/...",
        "//admin/x",
        "/public%2f..%2fadmin",
        "/a%5Cb",
        "/%zz/%4",
        "/a;x=..",
        "/..;/a",
        "/%252e%252e/a",
        "/%C3%A4",
    })
    void leavesTheRest(String path) {
        assertSame(path, PathNormalizer.normalize(path));
    }

    @Test
    void noDotSegmentIsLeft() {
        Random random = new Random(7);
        String alphabet = "/.%25eE61\\aZ;";
        for (int i = 0; i < 200_000; i++) {
            StringBuilder path = new StringBuilder("/");
            for (int n = random.nextInt(14); n > 0; n--) {
                path.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            String once = PathNormalizer.normalize(path.toString());
            assertEquals(once, PathNormalizer.normalize(once), path.toString());
            assertEquals('/', once.charAt(0));
            String dots = once + "/";
            assertEquals(-1, dots.indexOf("/../"), () -> path + " became " + once);
            assertEquals(-1, dots.indexOf("/./"), () -> path + " became " + once);
        }
    }
}
