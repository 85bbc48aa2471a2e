package dev.tulle.kernel;

import java.util.ArrayList;
import java.util.List;

/**
 * What a map is, without the map: from an ELF object (wanted) or from the kernel (found).
 *
 * @param name full name in an object; at most 15 characters in the kernel
 * @param type the kernel's number, see {@link MapType}
 * @param keySize bytes
 * @param valueSize bytes of one value (of one CPU's, in a per-CPU map)
 * @param maxEntries for a ring buffer its bytes
 * @param flags BPF_F_* bits
 * @param keyLayout the key's fields as text, "" without BTF
 * @param valueLayout the value's fields as text, "" without BTF
 */
public record MapSpec(
        String name,
        int type,
        int keySize,
        int valueSize,
        int maxEntries,
        int flags,
        String keyLayout,
        String valueLayout) {

    /** The kind by name, such as HASH. */
    public String typeName() {
        return MapType.of(type).map(Enum::name).orElse("map type " + type);
    }

    /** As {@link #differences}, but for type, sizes and flags alone. */
    public List<String> sizeDifferences(MapSpec found) {
        MapSpec plain = new MapSpec(name, type, keySize, valueSize, found.maxEntries, flags, "", "");
        return plain.differences(found);
    }

    /** What keeps {@code found} from being used where this is wanted, one sentence each; empty if it fits. */
    public List<String> differences(MapSpec found) {
        List<String> differences = new ArrayList<>();
        if (type != found.type) {
            differences.add("type is " + found.typeName() + ", expected " + typeName());
        }
        number(differences, "key size", keySize, found.keySize);
        number(differences, "value size", valueSize, found.valueSize);
        number(differences, "max_entries", maxEntries, found.maxEntries);
        number(differences, "flags", flags, found.flags);
        layout(differences, "key", keyLayout, found.keyLayout);
        layout(differences, "value", valueLayout, found.valueLayout);
        return differences;
    }

    private static void number(List<String> differences, String what, int wanted, int found) {
        if (wanted != found) {
            differences.add(
                    what + " is " + Integer.toUnsignedString(found) + ", expected " + Integer.toUnsignedString(wanted));
        }
    }

    private static void layout(List<String> differences, String what, String wanted, String found) {
        // A side without BTF says nothing; sizes were compared already.
        if (!wanted.isEmpty() && !found.isEmpty() && !wanted.equals(found)) {
            differences.add(what + " layout is " + found + ", expected " + wanted);
        }
    }
}
