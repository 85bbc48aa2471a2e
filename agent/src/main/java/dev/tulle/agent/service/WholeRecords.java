package dev.tulle.agent.service;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import org.jspecify.annotations.Nullable;

/**
 * Records read from JSON have all their components: the library leaves out what the text leaves out, and a null would be
 * met far away from the file it came from. Thread-safe.
 */
final class WholeRecords implements TypeAdapterFactory {
    @Override
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> type) {
        if (!type.getRawType().isRecord()) {
            return null;
        }
        TypeAdapter<T> plain = gson.getDelegateAdapter(this, type);
        RecordComponent[] components = type.getRawType().getRecordComponents();
        for (RecordComponent component : components) {
            component.getAccessor().setAccessible(true);
        }
        return new TypeAdapter<>() {
            @Override
            public T read(JsonReader in) throws IOException {
                T value = plain.read(in);
                if (value == null) {
                    throw new JsonParseException(
                            in.getPath() + ": no " + type.getRawType().getSimpleName());
                }
                for (RecordComponent component : components) {
                    if (component(component, value) == null) {
                        throw new JsonParseException(in.getPath() + ": "
                                + type.getRawType().getSimpleName() + " without " + component.getName());
                    }
                }
                return value;
            }

            @Override
            public void write(JsonWriter out, T value) throws IOException {
                plain.write(out, value);
            }
        };
    }

    private static @Nullable Object component(RecordComponent component, Object of) {
        try {
            return component.getAccessor().invoke(of);
        } catch (ReflectiveOperationException e) {
            throw new JsonParseException(component + " cannot be read", e);
        }
    }
}
