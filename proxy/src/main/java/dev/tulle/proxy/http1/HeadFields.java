package dev.tulle.proxy.http1;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The fields of a head: its bytes in one array, and the offsets of each field's name and value. Strings are made only when
 * asked for. Confined to one thread.
 */
public abstract class HeadFields {
    /** Bytes of no head. */
    static final byte[] NO_BYTES = {};

    private static final int STRIDE = 5;
    private static final int FIRST_FIELDS = 16 * STRIDE;
    private static final int[] NO_FIELDS = {};

    /** Made with the first byte: thousands of connections may wait for one, of clients that send none. */
    protected byte[] bytes = NO_BYTES;

    private int[] fields = NO_FIELDS;
    private int fieldCount;

    final void forgetFields() {
        fieldCount = 0;
    }

    /** One more, which stands there. */
    final void addField(int name, int nameStart, int nameEnd, int valueStart, int valueEnd) {
        int at = fieldCount * STRIDE;
        if (at == fields.length) {
            fields = Arrays.copyOf(fields, Math.max(FIRST_FIELDS, fields.length * 2));
        }
        fields[at] = nameStart;
        fields[at + 1] = nameEnd;
        fields[at + 2] = valueStart;
        fields[at + 3] = valueEnd;
        fields[at + 4] = name;
        fieldCount++;
    }

    /** From now on the last field has another value, which stands elsewhere in the head. */
    final void lastValueIs(int start, int end) {
        int at = (fieldCount - 1) * STRIDE;
        fields[at + 2] = start;
        fields[at + 3] = end;
    }

    /** The array that the offsets point into; valid until {@link MessageHead#reset}. */
    public final byte[] bytes() {
        return bytes;
    }

    /** Number of fields. */
    public final int fieldCount() {
        return fieldCount;
    }

    public final int nameStart(int field) {
        return fields[field * STRIDE];
    }

    public final int nameEnd(int field) {
        return fields[field * STRIDE + 1];
    }

    public final int valueStart(int field) {
        return fields[field * STRIDE + 2];
    }

    public final int valueEnd(int field) {
        return fields[field * STRIDE + 3];
    }

    /** The {@link FieldName} number of a field. */
    public final int nameOf(int field) {
        return fields[field * STRIDE + 4];
    }

    /** Text of a part of the head; bytes above 0x7f become the characters of the same number. */
    public final String text(int from, int to) {
        return new String(bytes, from, to - from, StandardCharsets.ISO_8859_1);
    }

    /** True when this is the text of a part of the head. */
    final boolean isText(int from, int to, String text) {
        if (to - from != text.length()) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if ((bytes[from + i] & 0xff) != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** The first field with this known name, -1 when there is none. */
    public final int find(int name) {
        for (int i = 0, at = 4; i < fieldCount; i++, at += STRIDE) {
            if (fields[at] == name) {
                return i;
            }
        }
        return -1;
    }

    /** The value of the first field with this known name; empty when there is none. */
    public final String value(int name) {
        int field = find(name);
        return field < 0 ? "" : text(valueStart(field), valueEnd(field));
    }

    /**
     * The value of a field; several of one name are joined by commas.
     *
     * @param lowerName in lower case
     */
    public final @Nullable String header(String lowerName) {
        String found = null;
        int length = lowerName.length();
        for (int i = 0; i < fieldCount; i++) {
            int start = nameStart(i);
            if (nameEnd(i) - start == length && named(start, lowerName)) {
                String value = text(valueStart(i), valueEnd(i));
                found = found == null ? value : found + "," + value;
            }
        }
        return found;
    }

    /**
     * The values of all fields of a name, in order.
     *
     * @param lowerName in lower case
     */
    public final List<String> headers(String lowerName) {
        List<String> found = new ArrayList<>(1);
        for (int i = 0; i < fieldCount; i++) {
            if (isNamed(i, lowerName)) {
                found.add(text(valueStart(i), valueEnd(i)));
            }
        }
        return found;
    }

    /**
     * True when a field has this name.
     *
     * @param lowerName in lower case
     */
    public final boolean isNamed(int field, String lowerName) {
        int start = nameStart(field);
        return nameEnd(field) - start == lowerName.length() && named(start, lowerName);
    }

    private boolean named(int start, String lowerName) {
        for (int i = 0; i < lowerName.length(); i++) {
            if (lower(bytes[start + i]) != lowerName.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    static int lower(byte b) {
        return b >= 'A' && b <= 'Z' ? b + 0x20 : b;
    }
}
