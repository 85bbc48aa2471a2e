package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The types of one BPF object, parsed from its BTF bytes. Pure and immutable: it never looks at the running kernel. Any
 * thread.
 */
public final class Btf {
    static final int KIND_INT = 1;
    static final int KIND_PTR = 2;
    static final int KIND_ARRAY = 3;
    static final int KIND_STRUCT = 4;
    static final int KIND_UNION = 5;
    static final int KIND_ENUM = 6;
    static final int KIND_FWD = 7;
    static final int KIND_TYPEDEF = 8;
    static final int KIND_RESTRICT = 11;
    static final int KIND_FUNC = 12;
    static final int KIND_FUNC_PROTO = 13;
    static final int KIND_VAR = 14;
    static final int KIND_DATASEC = 15;
    static final int KIND_FLOAT = 16;
    static final int KIND_DECL_TAG = 17;
    static final int KIND_TYPE_TAG = 18;
    static final int KIND_ENUM64 = 19;

    private static final int MAGIC = 0xeB9F;
    private static final int HEADER_SIZE = 24;
    /** Longest chain of typedefs, qualifiers or nested structs; the kernel itself allows 32. */
    static final int DEPTH_MAX = 32;

    private static final List<String> KIND_NAMES = List.of(
            "void",
            "int",
            "pointer",
            "array",
            "struct",
            "union",
            "enum",
            "forward",
            "typedef",
            "volatile",
            "const",
            "restrict",
            "function",
            "prototype",
            "variable",
            "section",
            "float",
            "declaration tag",
            "type tag",
            "enum64");

    /** One type: {@code sizeOrType} is a size in bytes for int, struct, union, enum, and a type id for the rest. */
    record Type(int kind, boolean flag, String name, int sizeOrType, List<Member> members, List<Constant> constants) {}

    /** A member of a struct or union; {@code bitSize} is 0 unless it is a bit field. */
    record Member(String name, int type, int bitOffset, int bitSize) {}

    private record Constant(String name, long value) {}

    private final List<Type> types;

    private Btf(List<Type> types) {
        this.types = types;
    }

    /** Parses BTF of this machine's byte order; throws {@link BtfFormatException}. */
    public static Btf parse(byte[] bytes) {
        return new Btf(new Parser(bytes).parse());
    }

    /** The BTF that libbpf holds at {@code btf}. */
    static Btf of(MemorySegment btf) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(NativeLibrary.INT);
            MemorySegment data = LibBpf.btfRawData(btf, size);
            if (data.equals(MemorySegment.NULL)) {
                throw new BpfException("libbpf gave no BTF bytes");
            }
            int length = size.get(NativeLibrary.INT, 0);
            return parse(data.reinterpret(length).toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** The BTF with this id in the kernel, as {@code bpf_map_info} names it. */
    static Btf fromKernel(int id) {
        MemorySegment btf = LibBpf.btfFromKernel(id, "cannot read BTF " + id + " from the kernel");
        try {
            return of(btf);
        } finally {
            LibBpf.btfFree(btf);
        }
    }

    /** The layout of {@code struct name}; empty if the object has no such struct. */
    public Optional<RecordLayout> struct(String name) {
        for (int id = 1; id < types.size(); id++) {
            Type type = types.get(id);
            if (type.kind == KIND_STRUCT && type.name.equals(name)) {
                return Optional.of(RecordLayout.of(this, id));
            }
        }
        return Optional.empty();
    }

    /** The constants of {@code enum name}, in source order; empty if the object has no such enum. */
    public Map<String, Long> enumConstants(String name) {
        Map<String, Long> found = new LinkedHashMap<>();
        for (Type type : types) {
            if ((type.kind == KIND_ENUM || type.kind == KIND_ENUM64) && type.name.equals(name)) {
                type.constants.forEach(c -> found.put(c.name, c.value));
            }
        }
        return found;
    }

    Type type(int id) {
        if (id < 0 || id >= types.size()) {
            throw new BtfFormatException("type id " + id + " is out of range, expected 0.." + (types.size() - 1));
        }
        return types.get(id);
    }

    /** Follows typedefs and qualifiers to the type that has a size. */
    int resolve(int id) {
        int at = id;
        for (int depth = 0; depth < DEPTH_MAX; depth++) {
            Type type = type(at);
            boolean alias = (type.kind >= KIND_TYPEDEF && type.kind <= KIND_RESTRICT) || type.kind == KIND_TYPE_TAG;
            if (!alias) {
                return at;
            }
            at = type.sizeOrType;
        }
        throw new BtfFormatException("type id " + id + ": more than " + DEPTH_MAX + " typedefs or qualifiers in a row");
    }

    /** Size in bytes. */
    int sizeOf(int id) {
        return sizeOf(id, 0);
    }

    private int sizeOf(int id, int depth) {
        if (depth > DEPTH_MAX) {
            throw new BtfFormatException("type id " + id + ": arrays nested deeper than " + DEPTH_MAX);
        }
        Type type = type(resolve(id));
        return switch (type.kind) {
            case KIND_INT, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_ENUM64, KIND_FLOAT -> type.sizeOrType;
            case KIND_PTR -> Long.BYTES;
            case KIND_ARRAY -> {
                Member element = type.members.getFirst();
                long size = (long) sizeOf(element.type, depth + 1) * element.bitSize;
                if (size > Integer.MAX_VALUE) {
                    throw new BtfFormatException("type id " + id + ": array of " + size + " bytes is too large");
                }
                yield (int) size;
            }
            default ->
                throw new BtfFormatException(
                        "type id " + id + " is a " + KIND_NAMES.get(type.kind) + ", expected a type with a size");
        };
    }

    /** The type as C would spell it, for messages and comparison. */
    String describe(int id) {
        return describe(id, 0);
    }

    private String describe(int id, int depth) {
        Type type = type(resolve(id));
        if (depth > 4) {
            return "…";
        }
        return switch (type.kind) {
            case KIND_ARRAY -> {
                Member element = type.members.getFirst();
                yield describe(element.type, depth + 1) + "[" + element.bitSize + "]";
            }
            case KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_ENUM64, KIND_FWD ->
                KIND_NAMES.get(type.kind) + " " + (type.name.isEmpty() ? "(anonymous)" : type.name);
            case KIND_PTR -> "pointer";
            default -> type.name.isEmpty() ? KIND_NAMES.get(type.kind) : type.name;
        };
    }

    /** Reads the two sections; every length is checked before it is used. */
    private static final class Parser {
        private final ByteBuffer bytes;
        private int typesEnd;
        private int stringsStart;
        private int stringsEnd;

        Parser(byte[] bytes) {
            this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        }

        List<Type> parse() {
            if (bytes.limit() < HEADER_SIZE) {
                throw new BtfFormatException(
                        "BTF has " + bytes.limit() + " bytes, expected a header of " + HEADER_SIZE);
            }
            int magic = bytes.getShort(0) & 0xffff;
            if (magic != MAGIC) {
                throw new BtfFormatException(String.format(
                        "BTF magic is 0x%04x, expected 0x%04x (this machine's byte order)", magic, MAGIC));
            }
            if (bytes.get(2) != 1) {
                throw new BtfFormatException("BTF version is " + bytes.get(2) + ", expected 1");
            }
            long header = bytes.getInt(4) & 0xffffffffL;
            long typesStart = section("types", header, bytes.getInt(8), bytes.getInt(12));
            typesEnd = (int) typesStart + bytes.getInt(12);
            stringsStart = (int) section("strings", header, bytes.getInt(16), bytes.getInt(20));
            stringsEnd = stringsStart + bytes.getInt(20);
            List<Type> types = new ArrayList<>();
            types.add(new Type(0, false, "void", 0, List.of(), List.of()));
            bytes.position((int) typesStart);
            while (bytes.position() < typesEnd) {
                types.add(type(types.size()));
            }
            return List.copyOf(types);
        }

        private long section(String name, long header, int offset, int size) {
            long start = header + (offset & 0xffffffffL);
            long end = start + (size & 0xffffffffL);
            if (end > bytes.limit()) {
                throw new BtfFormatException(
                        "BTF section of " + name + " ends at " + end + ", but there are " + bytes.limit() + " bytes");
            }
            return start;
        }

        private Type type(int id) {
            need(12, id);
            String name = string(bytes.getInt(), id);
            int info = bytes.getInt();
            int sizeOrType = bytes.getInt();
            int count = info & 0xffff;
            int kind = (info >>> 24) & 0x1f;
            boolean flag = info < 0;
            if (sizeOrType < 0) {
                throw new BtfFormatException("type id " + id + ": size or type " + sizeOrType + " is negative");
            }
            List<Member> members = new ArrayList<>();
            List<Constant> constants = new ArrayList<>();
            switch (kind) {
                case KIND_INT, KIND_VAR, KIND_DECL_TAG -> skip(4, id);
                case KIND_ARRAY -> {
                    need(12, id);
                    int element = bytes.getInt();
                    bytes.getInt(); // the index type says nothing
                    int length = bytes.getInt();
                    if (length < 0) {
                        throw new BtfFormatException("type id " + id + ": array length " + length + " is negative");
                    }
                    members.add(new Member("", element, 0, length));
                }
                case KIND_STRUCT, KIND_UNION -> {
                    need(12L * count, id);
                    for (int i = 0; i < count; i++) {
                        members.add(member(flag, id));
                    }
                }
                case KIND_ENUM -> {
                    need(8L * count, id);
                    for (int i = 0; i < count; i++) {
                        String constant = string(bytes.getInt(), id);
                        int value = bytes.getInt();
                        constants.add(new Constant(constant, flag ? value : value & 0xffffffffL));
                    }
                }
                case KIND_ENUM64 -> {
                    need(12L * count, id);
                    for (int i = 0; i < count; i++) {
                        String constant = string(bytes.getInt(), id);
                        long low = bytes.getInt() & 0xffffffffL;
                        constants.add(new Constant(constant, ((long) bytes.getInt() << 32) | low));
                    }
                }
                case KIND_FUNC_PROTO -> skip(8L * count, id);
                case KIND_DATASEC -> skip(12L * count, id);
                case KIND_PTR, KIND_FWD, KIND_TYPEDEF, 9, 10, KIND_RESTRICT, KIND_FUNC, KIND_FLOAT, KIND_TYPE_TAG -> {
                    // nothing follows
                }
                default -> throw new BtfFormatException("type id " + id + ": kind " + kind + " is unknown");
            }
            return new Type(kind, flag, name, sizeOrType, List.copyOf(members), List.copyOf(constants));
        }

        private Member member(boolean flag, int id) {
            String name = string(bytes.getInt(), id);
            int type = bytes.getInt();
            int offset = bytes.getInt();
            return flag ? new Member(name, type, offset & 0xffffff, offset >>> 24) : new Member(name, type, offset, 0);
        }

        private void need(long size, int id) {
            if (bytes.position() + size > typesEnd) {
                throw new BtfFormatException("type id " + id + " at offset " + bytes.position() + " needs " + size
                        + " bytes, but the section ends at " + typesEnd);
            }
        }

        private void skip(long size, int id) {
            need(size, id);
            bytes.position(bytes.position() + (int) size);
        }

        private String string(int offset, int id) {
            int start = stringsStart + offset;
            if (offset < 0 || start < stringsStart || start >= stringsEnd) {
                if (offset == 0) {
                    return "";
                }
                throw new BtfFormatException("type id " + id + ": name offset " + offset + " is outside the strings");
            }
            int end = start;
            while (end < stringsEnd && bytes.get(end) != 0) {
                end++;
            }
            return new String(bytes.array(), start, end - start, StandardCharsets.UTF_8);
        }
    }
}
