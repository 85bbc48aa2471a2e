package dev.tulle.agent.http;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Goal: Java and C agree on the sizes and numbers of kernel HTTP. Method: reads the C header. */
class HttpLimitsTest {
    private static Map<String, Integer> constants(String expression) throws IOException {
        String header = Files.readString(Path.of("../bpf/lib/http_types.h"));
        Map<String, Integer> found = new TreeMap<>();
        Matcher matcher = Pattern.compile(expression).matcher(header);
        while (matcher.find()) {
            found.put(matcher.group(1), Integer.parseInt(matcher.group(2)));
        }
        return found;
    }

    @Test
    void sizesAreThoseOfTheHeader() throws IOException {
        Map<String, Integer> sizes = constants("#define TULLE_HTTP_(\\w+)\\s+(\\d+)");
        assertEquals(HttpLimits.ROUTES, sizes.get("ROUTES"));
        assertEquals(HttpLimits.RULES, sizes.get("RULES"));
        assertEquals(HttpLimits.NAMES, sizes.get("NAMES"));
        assertEquals(HttpLimits.NAME, sizes.get("NAME"));
        assertEquals(HttpLimits.VALUE, sizes.get("VALUE"));
        assertEquals(HttpLimits.PATH, sizes.get("PATH"));
        assertEquals(HttpLimits.SHARES, sizes.get("SHARES"));
        assertEquals(HttpLimits.CLUSTERS, sizes.get("CLUSTERS"));
        assertEquals(HttpLimits.MEMBERS, sizes.get("MEMBERS"));
        String header = Files.readString(Path.of("../bpf/lib/http_types.h"));
        assertEquals(1, header.split("struct tulle_http_field field\\[" + HttpLimits.FIELDS + "\\]", -1).length - 1);
    }

    @Test
    void numbersAreThoseOfTheHeader() throws IOException {
        Map<String, Integer> numbers = constants("\\bTULLE_HTTP_(\\w+) = (\\d+)");
        for (HttpMethod method : HttpMethod.values()) {
            assertEquals(method.bit(), 1 << numbers.getOrDefault(method.name(), -1), method.name());
        }
        for (HttpWhen.PathKind kind : HttpWhen.PathKind.values()) {
            assertEquals(kind.number(), numbers.get("PATH_" + kind.name()), kind.name());
        }
        Map<String, Integer> keep = constants("#define TULLE_HTTP_KEEP_(\\w+)\\s+\\(1 << (\\d+)\\)");
        assertEquals(HttpTable.KEEP_5XX, 1 << keep.getOrDefault("5XX", -1));
        assertEquals(HttpTable.KEEP_GATEWAY, 1 << keep.getOrDefault("GATEWAY", -1));
        assertEquals(HttpTable.KEEP_503, 1 << keep.getOrDefault("503", -1));
        assertEquals(HttpTable.KEEP_409, 1 << keep.getOrDefault("409", -1));
        assertEquals(HttpTable.KEEP_BODY, 1 << keep.getOrDefault("BODY", -1));
    }
}
