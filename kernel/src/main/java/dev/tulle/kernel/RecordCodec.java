package dev.tulle.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A codec between a Java record and a C struct, matched by field name: component {@code workloadId} is field {@code
 * workload_id} (or {@code workloadId}). Made once per map, at load; every mismatch is a {@link LayoutException} then, not
 * later. Any thread.
 *
 * <p>Component types: byte, short, int, long and boolean for integer fields (values are range-checked; a field is
 * zero-extended, so use the next wider type where the upper half matters), nested records for structs, {@code List} of a
 * record for arrays of structs (a shorter list leaves the rest zero, a read one has all elements), {@code String} for
 * arrays of char, and any type for which a {@link FieldCodec} is given. Fields whose name starts with {@code pad}, {@code
 * _} or {@code reserved} are padding and stay zero; any other field must have its component.
 *
 * @param <R> the record
 */
public final class RecordCodec<R extends Record> implements MapCodec<R> {
    /** Moves one component between a record and memory. */
    private interface Slot {
        void write(Object record, MemorySegment to) throws Throwable;

        Object read(MemorySegment from);
    }

    private final Class<R> type;
    private final int size;
    private final List<Slot> slots;
    private final MethodHandle constructor;

    private RecordCodec(Class<R> type, int size, List<Slot> slots, MethodHandle constructor) {
        this.type = type;
        this.size = size;
        this.slots = slots;
        this.constructor = constructor;
    }

    /**
     * Matches {@code type} to {@code layout}.
     *
     * @param lookup the caller's own look-up, which gives access to a record that is not public
     * @param codecs for component types beyond integers and nested records
     */
    public static <R extends Record> RecordCodec<R> of(
            MethodHandles.Lookup lookup, Class<R> type, RecordLayout layout, FieldCodec<?>... codecs) {
        Objects.requireNonNull(lookup, "lookup");
        Objects.requireNonNull(type, "type");
        Objects.requireNonNull(layout, "layout");
        RecordComponent[] components = type.getRecordComponents();
        List<Slot> slots = new ArrayList<>();
        List<String> used = new ArrayList<>();
        for (RecordComponent component : components) {
            RecordLayout.Field field = find(layout, type, component.getName());
            used.add(field.name());
            slots.add(slot(lookup, type, component, layout, field, codecs));
        }
        List<String> forgotten = layout.fields().stream()
                .map(RecordLayout.Field::name)
                .filter(name -> !used.contains(name) && !isPadding(name))
                .toList();
        if (!forgotten.isEmpty()) {
            throw new LayoutException(layout.name() + " has fields that " + type.getSimpleName() + " does not: "
                    + String.join(", ", forgotten));
        }
        MethodType signature = MethodType.methodType(
                void.class,
                Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
        try {
            MethodHandle constructor = lookup.findConstructor(type, signature)
                    .asSpreader(Object[].class, components.length)
                    .asType(MethodType.methodType(Object.class, Object[].class));
            return new RecordCodec<>(type, layout.size(), List.copyOf(slots), constructor);
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("cannot reach the constructor of " + type.getName(), e);
        }
    }

    private static boolean isPadding(String name) {
        return name.isEmpty() || name.startsWith("_") || name.startsWith("pad") || name.startsWith("reserved");
    }

    private static RecordLayout.Field find(RecordLayout layout, Class<?> type, String component) {
        String snake = component.replaceAll("([a-z0-9])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
        for (RecordLayout.Field field : layout.fields()) {
            if (field.name().equals(component) || field.name().equals(snake)) {
                return field;
            }
        }
        throw new LayoutException(layout.name() + " has no field " + snake + " for " + type.getSimpleName() + "."
                + component + "; it has "
                + layout.fields().stream().map(RecordLayout.Field::name).collect(Collectors.joining(", ")));
    }

    private static Slot slot(
            MethodHandles.Lookup lookup,
            Class<?> type,
            RecordComponent component,
            RecordLayout layout,
            RecordLayout.Field field,
            FieldCodec<?>[] codecs) {
        MethodHandle accessor;
        try {
            accessor = lookup.findVirtual(type, component.getName(), MethodType.methodType(component.getType()));
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("cannot read " + type.getName() + "." + component.getName(), e);
        }
        Class<?> kind = component.getType();
        for (FieldCodec<?> codec : codecs) {
            if (codec.type() == kind) {
                layout.bytes(field.name(), codec.size());
                return new CodecSlot(accessor.asType(MethodType.methodType(Object.class, Object.class)), field, codec);
            }
        }
        if (kind == String.class) {
            return new TextSlot(accessor.asType(MethodType.methodType(Object.class, Object.class)), field);
        }
        if (kind.isRecord()) {
            RecordCodec<?> nested = of(lookup, kind.asSubclass(Record.class), layout.struct(field.name()), codecs);
            return new NestedSlot(accessor.asType(MethodType.methodType(Object.class, Object.class)), nested);
        }
        if (kind == List.class) {
            RecordLayout element = layout.element(field.name());
            RecordCodec<?> codec = of(lookup, elementType(type, component), element, codecs);
            return new ListSlot(
                    accessor.asType(MethodType.methodType(Object.class, Object.class)), field, codec, element.size());
        }
        int width = width(kind);
        if (width == 0) {
            throw new LayoutException(type.getSimpleName() + "." + component.getName() + " is a " + kind.getSimpleName()
                    + ", expected an integer, a record or a type with a FieldCodec");
        }
        if (field.isStruct() || field.size() > width || Integer.bitCount(field.size()) != 1) {
            throw new LayoutException(layout.name() + "." + field.name() + " is " + field.size() + " bytes, but "
                    + type.getSimpleName() + "." + component.getName() + " is a " + kind.getSimpleName());
        }
        layout.bytes(field.name(), field.size()); // refuses bit fields
        MethodHandle asLong = MethodHandles.explicitCastArguments(accessor, MethodType.methodType(long.class, type))
                .asType(MethodType.methodType(long.class, Object.class));
        return new IntegerSlot(asLong, field, kind);
    }

    private static Class<? extends Record> elementType(Class<?> type, RecordComponent component) {
        if (component.getGenericType() instanceof ParameterizedType list
                && list.getActualTypeArguments()[0] instanceof Class<?> element
                && element.isRecord()) {
            return element.asSubclass(Record.class);
        }
        throw new LayoutException(type.getSimpleName() + "." + component.getName() + " is a "
                + component.getGenericType() + ", expected a List of a record");
    }

    private static int width(Class<?> kind) {
        if (kind == boolean.class || kind == byte.class) {
            return 1;
        }
        if (kind == short.class) {
            return 2;
        }
        if (kind == int.class) {
            return 4;
        }
        return kind == long.class ? 8 : 0;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public void encode(R value, MemorySegment to) {
        try {
            for (Slot slot : slots) {
                slot.write(value, to);
            }
        } catch (Throwable t) {
            throw NativeLibrary.unexpected(t);
        }
    }

    @Override
    public R decode(MemorySegment from) {
        @Nullable Object[] values = new Object[slots.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = slots.get(i).read(from);
        }
        try {
            return type.cast(constructor.invokeExact(values));
        } catch (Throwable t) {
            throw NativeLibrary.unexpected(t);
        }
    }

    private record IntegerSlot(MethodHandle accessor, RecordLayout.Field field, Class<?> kind) implements Slot {
        @Override
        public void write(Object record, MemorySegment to) throws Throwable {
            long value = (long) accessor.invokeExact(record);
            // byte and short components hold unsigned fields; their sign is not part of the value
            boolean narrow = value < 0 && field.size() < Integer.BYTES && field.size() == width(kind);
            field.set(to, narrow ? value & ((1L << (8 * field.size())) - 1) : value);
        }

        @Override
        public Object read(MemorySegment from) {
            long value = field.get(from);
            if (kind == long.class) {
                return value;
            }
            if (kind == int.class) {
                return (int) value;
            }
            if (kind == short.class) {
                return (short) value;
            }
            return kind == byte.class ? (Object) (byte) value : (Object) (value != 0);
        }
    }

    private record CodecSlot(MethodHandle accessor, RecordLayout.Field field, FieldCodec<?> codec) implements Slot {
        @Override
        public void write(Object record, MemorySegment to) throws Throwable {
            codec.write((Object) accessor.invokeExact(record), to, field.offset());
        }

        @Override
        public Object read(MemorySegment from) {
            return codec.read(from, field.offset());
        }
    }

    private record TextSlot(MethodHandle accessor, RecordLayout.Field field) implements Slot {
        @Override
        public void write(Object record, MemorySegment to) throws Throwable {
            byte[] text = ((String) (Object) accessor.invokeExact(record)).getBytes(StandardCharsets.UTF_8);
            if (text.length >= field.size()) {
                throw new IllegalArgumentException(
                        field.name() + " is " + text.length + " bytes, expected at most " + (field.size() - 1));
            }
            field.setBytes(to, Arrays.copyOf(text, field.size()));
        }

        @Override
        public Object read(MemorySegment from) {
            return field.getText(from);
        }
    }

    private record ListSlot(MethodHandle accessor, RecordLayout.Field field, RecordCodec<?> codec, int stride)
            implements Slot {
        @Override
        public void write(Object record, MemorySegment to) throws Throwable {
            List<?> list = (List<?>) (Object) accessor.invokeExact(record);
            int most = field.size() / stride;
            if (list.size() > most) {
                throw new IllegalArgumentException(
                        field.name() + " has " + list.size() + " elements, expected at most " + most);
            }
            for (int i = 0; i < list.size(); i++) {
                NestedSlot.writeNested(codec, list.get(i), to.asSlice((long) i * stride));
            }
        }

        @Override
        public Object read(MemorySegment from) {
            List<Object> list = new ArrayList<>();
            for (int i = 0; i < field.size() / stride; i++) {
                list.add(codec.decode(from.asSlice((long) i * stride)));
            }
            return List.copyOf(list);
        }
    }

    private record NestedSlot(MethodHandle accessor, RecordCodec<?> codec) implements Slot {
        @Override
        public void write(Object record, MemorySegment to) throws Throwable {
            writeNested(codec, (Object) accessor.invokeExact(record), to);
        }

        private static <N extends Record> void writeNested(RecordCodec<N> codec, Object value, MemorySegment to) {
            codec.encode(codec.type.cast(value), to);
        }

        @Override
        public Object read(MemorySegment from) {
            return codec.decode(from);
        }
    }
}
