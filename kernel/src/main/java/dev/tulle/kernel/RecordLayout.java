package dev.tulle.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Where the fields of one C struct lie, taken from BTF by name, so that Java never counts offsets. Immutable; any thread.
 *
 * <p>Look fields up once, when the object is loaded; {@link Field#get} and {@link Field#set} then cost a memory access and
 * allocate nothing. A missing field or another size is a {@link LayoutException} that says both sides.
 */
public final class RecordLayout {
    private static final ValueLayout.OfShort BIG_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt BIG_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    /** Fields of one layout with everything nested in it; a hostile type graph would otherwise grow without bound. */
    private static final int FIELDS_MAX = 4096;

    private final String name;
    private final int size;
    private final List<Field> fields;

    private RecordLayout(String name, int size, List<Field> fields) {
        this.name = name;
        this.size = size;
        this.fields = List.copyOf(fields);
    }

    /** Layout of the type with this id; a plain integer or array becomes a layout of one field named "value". */
    static RecordLayout of(Btf btf, int typeId) {
        return of(btf, typeId, 0, 0, new int[] {FIELDS_MAX});
    }

    private static RecordLayout of(Btf btf, int typeId, long base, int depth, int[] budget) {
        if (depth > Btf.DEPTH_MAX) {
            throw new BtfFormatException("type id " + typeId + ": structs nested deeper than " + Btf.DEPTH_MAX);
        }
        int id = btf.resolve(typeId);
        Btf.Type type = btf.type(id);
        int size = btf.sizeOf(id);
        List<Field> fields = new ArrayList<>();
        if (type.kind() == Btf.KIND_STRUCT || type.kind() == Btf.KIND_UNION) {
            addMembers(btf, type, base, base + size, depth, fields, budget);
        } else {
            fields.add(new Field("value", checked(base, id), size, btf.describe(id), false, null, null));
        }
        return new RecordLayout(btf.describe(id), size, fields);
    }

    private static void addMembers(
            Btf btf, Btf.Type type, long base, long limit, int depth, List<Field> fields, int[] budget) {
        if (depth > Btf.DEPTH_MAX) {
            throw new BtfFormatException("struct " + type.name() + " is nested deeper than " + Btf.DEPTH_MAX);
        }
        for (Btf.Member member : type.members()) {
            if (--budget[0] < 0) {
                throw new BtfFormatException(
                        "struct " + type.name() + " has more than " + FIELDS_MAX + " fields in all");
            }
            int id = btf.resolve(member.type());
            Btf.Type memberType = btf.type(id);
            long offset = base + (member.bitOffset() >>> 3);
            int size = btf.sizeOf(id);
            if (offset + size > limit) {
                throw new BtfFormatException(type.name() + "." + member.name() + " ends at byte " + (offset + size)
                        + " of a type that ends at " + limit);
            }
            boolean composite = memberType.kind() == Btf.KIND_STRUCT || memberType.kind() == Btf.KIND_UNION;
            if (composite && member.name().isEmpty()) {
                addMembers(btf, memberType, offset, limit, depth + 1, fields, budget);
            } else {
                RecordLayout nested = composite ? of(btf, id, offset, depth + 1, budget) : null;
                RecordLayout element = element(btf, memberType, offset, depth + 1, budget);
                boolean bits = member.bitSize() != 0 || (member.bitOffset() & 7) != 0;
                fields.add(
                        new Field(member.name(), checked(offset, id), size, btf.describe(id), bits, nested, element));
            }
        }
    }

    /** The first element's layout when the type is an array of structs. */
    private static @Nullable RecordLayout element(Btf btf, Btf.Type array, long offset, int depth, int[] budget) {
        if (array.kind() != Btf.KIND_ARRAY) {
            return null;
        }
        int id = btf.resolve(array.members().getFirst().type());
        return btf.type(id).kind() == Btf.KIND_STRUCT && btf.sizeOf(id) > 0 ? of(btf, id, offset, depth, budget) : null;
    }

    private static int checked(long offset, int id) {
        if (offset > Integer.MAX_VALUE) {
            throw new BtfFormatException("type id " + id + ": offset " + offset + " is too large");
        }
        return (int) offset;
    }

    /** As C spells it: {@code struct tulle_workload}. */
    public String name() {
        return name;
    }

    /** Bytes, with padding. */
    public int size() {
        return size;
    }

    /** In source order; members of anonymous structs and unions count as the outer struct's. */
    public List<Field> fields() {
        return fields;
    }

    /** The field of that name, of any size. */
    public Field field(String field) {
        Objects.requireNonNull(field, "field");
        for (Field candidate : fields) {
            if (candidate.name.equals(field)) {
                return candidate;
            }
        }
        throw new LayoutException(name + " has no field " + field + "; it has "
                + fields.stream().map(Field::name).collect(Collectors.joining(", ")));
    }

    /** An 8-bit integer field. */
    public Field u8(String field) {
        return sized(field, 1);
    }

    /** A 16-bit integer field. */
    public Field u16(String field) {
        return sized(field, 2);
    }

    /** A 32-bit integer field. */
    public Field u32(String field) {
        return sized(field, 4);
    }

    /** A 64-bit integer field. */
    public Field u64(String field) {
        return sized(field, 8);
    }

    /** An array or struct field of exactly {@code length} bytes, copied as it is. */
    public Field bytes(String field, int length) {
        return sized(field, length);
    }

    /** The layout of a struct inside this one; its offsets count from the start of this layout's memory. */
    public RecordLayout struct(String field) {
        RecordLayout nested = field(field).nested;
        if (nested == null) {
            throw new LayoutException(name + "." + field + " is " + field(field).type + ", expected a struct");
        }
        return nested;
    }

    /**
     * The layout of the first struct of an array of structs; the others follow, each {@link #size} bytes after the one
     * before it.
     */
    public RecordLayout element(String field) {
        RecordLayout element = field(field).element;
        if (element == null) {
            throw new LayoutException(
                    name + "." + field + " is " + field(field).type + ", expected an array of structs");
        }
        return element;
    }

    private Field sized(String field, int expected) {
        Field found = field(field);
        if (found.bits) {
            throw new LayoutException(name + "." + field + " is a bit field, expected " + expected + " whole bytes");
        }
        if (found.size != expected) {
            throw new LayoutException(
                    name + "." + field + " is " + found.size + " bytes (" + found.type + "), expected " + expected);
        }
        return found;
    }

    /** Every field with type and offset: equal texts mean that two layouts can stand for each other. */
    public String describe() {
        return fields.stream()
                .map(Field::toString)
                .collect(Collectors.joining("; ", name + " {", "}, " + size + " bytes"));
    }

    @Override
    public String toString() {
        return describe();
    }

    /** One field: integers by {@link #get} and {@link #set}, the rest by bytes. */
    public static final class Field {
        private final String name;
        private final int offset;
        private final int size;
        private final String type;
        private final boolean bits;
        private final @Nullable RecordLayout nested;
        private final @Nullable RecordLayout element;

        private Field(
                String name,
                int offset,
                int size,
                String type,
                boolean bits,
                @Nullable RecordLayout nested,
                @Nullable RecordLayout element) {
            this.name = name;
            this.offset = offset;
            this.size = size;
            this.type = type;
            this.bits = bits;
            this.nested = nested;
            this.element = element;
        }

        public String name() {
            return name;
        }

        /** Bytes from the start of the outermost struct. */
        public int offset() {
            return offset;
        }

        public int size() {
            return size;
        }

        boolean isStruct() {
            return nested != null;
        }

        @Nullable
        RecordLayout nested() {
            return nested;
        }

        /** The first element's layout, for an array of structs. */
        @Nullable
        RecordLayout element() {
            return element;
        }

        /** Elements of an array; 0 for anything else. */
        int count() {
            return type.endsWith("]") ? Integer.parseInt(type, type.lastIndexOf('[') + 1, type.length() - 1, 10) : 0;
        }

        /** Whether {@link #get} and {@link #set} apply. */
        boolean isInteger() {
            return nested == null && !type.endsWith("]") && !bits && (size == 1 || size == 2 || size == 4 || size == 8);
        }

        /** The integer, zero-extended (a u64 keeps its bits). Sizes 1, 2, 4 and 8 only. */
        public long get(MemorySegment record) {
            return switch (size) {
                case 1 -> record.get(ValueLayout.JAVA_BYTE, offset) & 0xffL;
                case 2 -> record.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset) & 0xffffL;
                case 4 -> record.get(ValueLayout.JAVA_INT_UNALIGNED, offset) & 0xffffffffL;
                case 8 -> record.get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
                default -> throw notInteger();
            };
        }

        public int getInt(MemorySegment record) {
            return (int) get(record);
        }

        /** Writes the integer; a value that does not fit is an {@link IllegalArgumentException}, not cut off. */
        public void set(MemorySegment record, long value) {
            // A 32-bit value may come from a Java int, whose upper half is then a sign.
            boolean fits =
                    size == 8 || (value >>> (8 * size)) == 0 || (size == 4 && value >= Integer.MIN_VALUE && value < 0);
            if (!fits) {
                throw new IllegalArgumentException(
                        name + " is " + value + ", expected 0.." + ((1L << (8 * size)) - 1) + " (" + type + ")");
            }
            switch (size) {
                case 1 -> record.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
                case 2 -> record.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, (short) value);
                case 4 -> record.set(ValueLayout.JAVA_INT_UNALIGNED, offset, (int) value);
                case 8 -> record.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
                default -> throw notInteger();
            }
        }

        /** A 16- or 32-bit field kept in network byte order. */
        public long getBigEndian(MemorySegment record) {
            return switch (size) {
                case 2 -> record.get(BIG_SHORT, offset) & 0xffffL;
                case 4 -> record.get(BIG_INT, offset) & 0xffffffffL;
                default -> throw notInteger();
            };
        }

        /** Writes a 16- or 32-bit field in network byte order. */
        public void setBigEndian(MemorySegment record, long value) {
            switch (size) {
                case 2 -> record.set(BIG_SHORT, offset, (short) value);
                case 4 -> record.set(BIG_INT, offset, (int) value);
                default -> throw notInteger();
            }
        }

        /** A copy of the field's bytes. */
        public byte[] getBytes(MemorySegment record) {
            byte[] bytes = new byte[size];
            MemorySegment.copy(record, ValueLayout.JAVA_BYTE, offset, bytes, 0, size);
            return bytes;
        }

        /** Writes exactly {@link #size()} bytes. */
        public void setBytes(MemorySegment record, byte[] bytes) {
            if (bytes.length != size) {
                throw new IllegalArgumentException(name + " is given " + bytes.length + " bytes, expected " + size);
            }
            MemorySegment.copy(bytes, 0, record, ValueLayout.JAVA_BYTE, offset, size);
        }

        /** A NUL-terminated text in an array of char. */
        public String getText(MemorySegment record) {
            byte[] bytes = getBytes(record);
            int end = 0;
            while (end < bytes.length && bytes[end] != 0) {
                end++;
            }
            return new String(bytes, 0, end, StandardCharsets.UTF_8);
        }

        private IllegalStateException notInteger() {
            return new IllegalStateException(name + " is " + size + " bytes (" + type + "), not an integer");
        }

        @Override
        public String toString() {
            return type + " " + name + "@" + offset + (bits ? " bits" : "") + "+" + size
                    + (nested == null ? "" : " " + nested.describe())
                    + (element == null ? "" : " of " + element.describe());
        }
    }
}
