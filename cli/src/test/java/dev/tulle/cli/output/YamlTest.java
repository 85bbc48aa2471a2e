package dev.tulle.cli.output;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** Goal: a YAML reader gets back the JSON value that was written. Method: write, read with a real parser, compare. */
class YamlTest {
    private static void survives(String json) {
        JsonElement value = JsonParser.parseString(json);
        Object read = new Load(LoadSettings.builder().build()).loadFromString(Yaml.write(value));
        assertEquals(value, toJson(read), () -> "written as\n" + Yaml.write(value));
    }

    private static JsonElement toJson(@org.jspecify.annotations.Nullable Object value) {
        switch (value) {
            case null -> {
                return JsonNull.INSTANCE;
            }
            case Map<?, ?> map -> {
                JsonObject object = new JsonObject();
                map.forEach((key, member) -> object.add(String.valueOf(key), toJson(member)));
                return object;
            }
            case List<?> list -> {
                JsonArray array = new JsonArray();
                list.forEach(element -> array.add(toJson(element)));
                return array;
            }
            case Boolean bool -> {
                return new JsonPrimitive(bool);
            }
            case Number number -> {
                return new JsonPrimitive(number);
            }
            default -> {
                return new JsonPrimitive(value.toString());
            }
        }
    }

    @Test
    void nestedValuesSurvive() {
        survives("{\"a\":{\"b\":[1,{\"c\":\"d\",\"e\":[]},[2,[3]],{}]},\"f\":null,\"g\":true,\"h\":{}}");
        survives("[{\"name\":\"x\",\"ports\":[{\"number\":80}]},\"y\"]");
        survives("[]");
        survives("\"text\"");
    }

    @Test
    void textsThatLookLikeSomethingElseStayTexts() {
        for (String text : List.of(
                "",
                " ",
                "true",
                "No",
                "null",
                "~",
                "1",
                "-1",
                "0x10",
                "1e3",
                ".5",
                "a: b",
                "a #b",
                "- x",
                "a:",
                "#x",
                "'",
                "\"",
                "é",
                "line\nend",
                "tab\t",
                "[x]",
                "{x}",
                "*x",
                "&x",
                "!x",
                "%x",
                "@x",
                "`x",
                "x ",
                "a,b",
                "12:30",
                "2026-01-01",
                "outbound|9080|v1|reviews",
                "http://a:80/")) {
            JsonArray array = new JsonArray();
            array.add(text);
            survives(array.toString());
            JsonObject object = new JsonObject();
            object.addProperty(text, text);
            survives(object.toString());
        }
    }
}
