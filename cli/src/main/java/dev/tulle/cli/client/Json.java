package dev.tulle.cli.client;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;

/** Forgiving access to JSON: an absent or null member reads as empty, false or 0. */
public final class Json {
    private Json() {}

    /** A member as text; numbers and booleans are printed, arrays joined by commas, objects as {@code k=v}. */
    public static String text(JsonObject object, String name) {
        JsonElement value = object.get(name);
        return value == null ? "" : plain(value);
    }

    /** A boolean member. */
    public static boolean bool(JsonObject object, String name) {
        JsonElement value = object.get(name);
        return value != null && value.isJsonPrimitive() && value.getAsBoolean();
    }

    /** A whole number member. */
    public static long number(JsonObject object, String name) {
        JsonElement value = object.get(name);
        return value != null
                        && value.isJsonPrimitive()
                        && value.getAsJsonPrimitive().isNumber()
                ? value.getAsLong()
                : 0;
    }

    /** A member that is an object; an empty one when it is not. */
    public static JsonObject object(JsonObject object, String name) {
        return object.get(name) instanceof JsonObject member ? member : new JsonObject();
    }

    /** The elements of an array member that are objects. */
    public static List<JsonObject> objects(JsonObject object, String name) {
        JsonElement value = object.get(name);
        return value == null ? List.of() : objects(value);
    }

    /** The elements of an array that are objects; none when it is no array. */
    public static List<JsonObject> objects(JsonElement value) {
        List<JsonObject> found = new ArrayList<>();
        if (value instanceof JsonArray array) {
            for (JsonElement element : array) {
                if (element instanceof JsonObject object) {
                    found.add(object);
                }
            }
        }
        return found;
    }

    /** A value as text for a table cell. */
    public static String plain(JsonElement value) {
        if (value.isJsonNull()) {
            return "";
        }
        if (value.isJsonPrimitive()) {
            return value.getAsString();
        }
        List<String> parts = new ArrayList<>();
        if (value instanceof JsonArray array) {
            array.forEach(element -> parts.add(plain(element)));
        } else {
            value.getAsJsonObject()
                    .entrySet()
                    .forEach(entry -> parts.add(entry.getKey() + "=" + plain(entry.getValue())));
        }
        return String.join(",", parts);
    }

    /** Builds an object from names and values in turn; null values and empty texts are left out. */
    public static JsonObject of(Object... namesAndValues) {
        JsonObject object = new JsonObject();
        for (int i = 0; i + 1 < namesAndValues.length; i += 2) {
            String name = (String) namesAndValues[i];
            switch (namesAndValues[i + 1]) {
                case JsonElement element -> object.add(name, element);
                case Number number -> object.addProperty(name, number);
                case Boolean bool -> object.addProperty(name, bool);
                case String text when text.isEmpty() -> {}
                case Object other -> object.addProperty(name, other.toString());
            }
        }
        return object;
    }

    /** An array of texts. */
    public static JsonArray texts(Iterable<String> texts) {
        JsonArray array = new JsonArray();
        texts.forEach(array::add);
        return array;
    }
}
