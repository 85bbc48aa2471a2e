package dev.tulle.proxy.admin;

import com.google.gson.Gson;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Shows records by their components, with the arm's name where a component is a "one of", optional parts only when they
 * are there, and times as text. Write only.
 */
final class ModelJson implements TypeAdapterFactory {
    @Override
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> type) {
        Class<? super T> raw = type.getRawType();
        boolean text = raw == Duration.class || raw == Instant.class;
        if (!text && raw != Optional.class && !raw.isRecord() && !raw.isSealed()) {
            return null;
        }
        return new TypeAdapter<>() {
            @Override
            public void write(JsonWriter out, @Nullable T value) throws IOException {
                if (value == null) {
                    out.nullValue();
                } else if (text) {
                    out.value(value.toString());
                } else if (value instanceof Optional<?> optional) {
                    any(gson, out, optional.orElse(null));
                } else if (value instanceof Record) {
                    record(gson, out, value);
                } else {
                    out.value(value.toString());
                }
            }

            @Override
            public T read(JsonReader in) {
                throw new UnsupportedOperationException("pages are only written");
            }
        };
    }

    private static void any(Gson gson, JsonWriter out, @Nullable Object value) throws IOException {
        if (value == null) {
            out.nullValue();
        } else {
            gson.toJson(value, value.getClass(), out);
        }
    }

    private static void record(Gson gson, JsonWriter out, Object value) throws IOException {
        out.beginObject();
        Class<?>[] above = value.getClass().getInterfaces();
        if (above.length > 0 && above[0].isSealed()) {
            out.name("kind").value(value.getClass().getSimpleName());
        }
        for (RecordComponent component : value.getClass().getRecordComponents()) {
            Object part = part(component, value);
            boolean absent = part == null || (part instanceof Optional<?> optional && optional.isEmpty());
            if (!absent) {
                out.name(component.getName());
                if (part instanceof Optional<?> optional) {
                    any(gson, out, optional.get());
                } else {
                    gson.toJson(part, component.getGenericType(), out);
                }
            }
        }
        out.endObject();
    }

    private static @Nullable Object part(RecordComponent component, Object value) {
        try {
            var accessor = component.getAccessor();
            accessor.setAccessible(true);
            return accessor.invoke(value);
        } catch (IllegalAccessException | InvocationTargetException e) {
            return "unreadable: " + e;
        }
    }
}
