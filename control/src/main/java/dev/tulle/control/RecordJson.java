package dev.tulle.control;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tulle.model.Locality;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The model's values as JSON, for people and tools: records by component name, a record that is one of several forms with
 * its name under {@code type}, localities as text, absent optionals left out.
 */
final class RecordJson {
    private RecordJson() {}

    static JsonElement of(@Nullable Object value) {
        return switch (value) {
            case null -> JsonNull.INSTANCE;
            case JsonElement json -> json;
            case String text -> new JsonPrimitive(text);
            case Number number -> new JsonPrimitive(number);
            case Boolean bool -> new JsonPrimitive(bool);
            case Enum<?> word -> new JsonPrimitive(word.name());
            case Duration duration -> new JsonPrimitive(text(duration));
            case Instant instant -> new JsonPrimitive(instant.toString());
            case Collection<?> values -> {
                JsonArray array = new JsonArray();
                values.forEach(element -> array.add(of(element)));
                yield array;
            }
            case Map<?, ?> map -> {
                JsonObject object = new JsonObject();
                map.forEach((key, element) -> object.add(String.valueOf(key), of(element)));
                yield object;
            }
            case Locality place -> new JsonPrimitive(place.toString());
            case Record recordValue -> object(recordValue);
            default -> new JsonPrimitive(value.toString());
        };
    }

    static JsonObject object(Record value) {
        JsonObject object = new JsonObject();
        for (Class<?> form : value.getClass().getInterfaces()) {
            if (form.isSealed()) {
                object.addProperty("type", value.getClass().getSimpleName());
            }
        }
        for (RecordComponent component : value.getClass().getRecordComponents()) {
            Object element;
            try {
                element = component.getAccessor().invoke(value);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(
                        value.getClass().getName() + "." + component.getName() + " cannot be read", e);
            }
            if (element instanceof Optional<?> optional) {
                optional.ifPresent(present -> object.add(component.getName(), of(present)));
            } else {
                object.add(component.getName(), of(element));
            }
        }
        return object;
    }

    /** As Istio writes durations: {@code 2s}, {@code 250ms}. */
    static String text(Duration duration) {
        return duration.toMillis() % 1000 == 0 ? duration.toSeconds() + "s" : duration.toMillis() + "ms";
    }
}
