package dev.tulle.agent.datapath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Goal: the self-test speaks as the proxy does. Method: reads the C header. */
class ProxyOptionTest {
    private static final Map<String, Integer> SIZES =
            Map.of("__u64", 8, "__u32", 4, "__u16", 2, "__u8", 1, "struct tulle_addr", 16);

    private static Map<String, Integer> fields(String header, String struct) {
        Matcher body = Pattern.compile("struct " + struct + " \\{(.*?)\n\\};", Pattern.DOTALL)
                .matcher(header);
        assertTrue(body.find(), struct);
        Map<String, Integer> fields = new LinkedHashMap<>();
        Matcher field = Pattern.compile("\\s(__u\\d+|struct tulle_addr) (\\w+)(\\[TULLE_HTTP_COPY])?;")
                .matcher(body.group(1));
        while (field.find()) {
            int size = SIZES.getOrDefault(field.group(1), 0);
            fields.put(field.group(2), field.group(3) == null ? size : 1024);
        }
        return fields;
    }

    @Test
    void fieldsAreThoseOfTheHeader() throws IOException {
        String header = Files.readString(Path.of("../bpf/lib/http_types.h"));
        for (ProxyOption option : ProxyOption.ALL) {
            String word = option.name().toLowerCase(Locale.ROOT);
            boolean answer = word.equals("client") || word.equals("lease");
            Map<String, Integer> fields = fields(header, "tulle_http_" + word + (answer ? "_info" : ""));
            assertEquals(
                    fields.entrySet().stream().toList(),
                    option.sizes().entrySet().stream().toList());
            assertTrue(Pattern.compile("#define TULLE_OPT_" + option.name() + " \\d")
                    .matcher(header)
                    .find());
        }
    }
}
