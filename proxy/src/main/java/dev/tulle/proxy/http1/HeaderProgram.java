package dev.tulle.proxy.http1;

import dev.tulle.model.HeaderMutation;
import dev.tulle.proxy.loop.ByteSink;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Header changes made ready: which received fields to leave out and which lines to add. Names that frame or address a
 * message, and values with control characters, cannot be set this way. Immutable.
 */
public final class HeaderProgram {
    /** Changes nothing. */
    public static final HeaderProgram NONE = new HeaderProgram(List.of());

    private final byte[][] dropped;
    private final byte[] lines;
    private final List<HeaderMutation.Field> fields = new ArrayList<>();
    private final @Nullable String authority;

    private final List<HeaderMutation.Changes> steps;

    private HeaderProgram(List<HeaderMutation.Changes> steps) {
        this.steps = steps;
        List<byte[]> names = new ArrayList<>();
        String host = null;
        for (HeaderMutation.Changes changes : steps) {
            for (String name : changes.remove()) {
                if (isFree(name)) {
                    drop(names, name);
                }
            }
            for (HeaderMutation.Field field : changes.set()) {
                if (isHost(field.name())) {
                    host = field.value();
                } else if (isFree(field.name()) && isClean(field.value())) {
                    drop(names, field.name());
                    fields.add(field);
                }
            }
            for (HeaderMutation.Field field : changes.add()) {
                if (isFree(field.name()) && isClean(field.value())) {
                    fields.add(field);
                }
            }
        }
        ByteSink added = new ByteSink();
        fields.forEach(field -> line(added, field));
        dropped = names.toArray(byte[][]::new);
        lines = Arrays.copyOf(added.array(), added.length());
        authority = host;
    }

    /** Leaves out the received fields of this name, and those that a change before would have added. */
    private void drop(List<byte[]> names, String name) {
        names.add(FieldName.lower(name));
        fields.removeIf(field -> field.name().equalsIgnoreCase(name));
    }

    /** The changes in one direction: the share's and then the route's, which win, as in Envoy. */
    public static HeaderProgram of(HeaderMutation.Changes route, HeaderMutation.Changes share) {
        return route.isEmpty() && share.isEmpty() ? NONE : new HeaderProgram(List.of(share, route));
    }

    /** These changes, and others after them. */
    public HeaderProgram then(HeaderProgram later) {
        if (isEmpty()) {
            return later;
        }
        return later.isEmpty()
                ? this
                : new HeaderProgram(
                        Stream.concat(steps.stream(), later.steps.stream()).toList());
    }

    private static void line(ByteSink sink, HeaderMutation.Field field) {
        sink.value(field.name()).put(": ").value(field.value()).put("\r\n");
    }

    private static boolean isHost(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return lower.equals("host") || lower.equals(":authority");
    }

    private static boolean isFree(String name) {
        byte[] lower = FieldName.lower(name);
        return lower.length > 0
                && name.chars().allMatch(c -> c > ' ' && c < 0x7f && "()<>@,;:\\\"/[]?={}".indexOf(c) < 0)
                && switch (FieldName.classify(lower, 0, lower.length)) {
                    case FieldName.HOST,
                            FieldName.CONNECTION,
                            FieldName.CONTENT_LENGTH,
                            FieldName.TRANSFER_ENCODING,
                            FieldName.UPGRADE,
                            FieldName.TRAILER,
                            FieldName.TE -> false;
                    default -> true;
                };
    }

    private static boolean isClean(String value) {
        return value.chars().allMatch(c -> c == '\t' || (c >= ' ' && c != 0x7f && c <= 0xff));
    }

    /** True when nothing is changed. */
    public boolean isEmpty() {
        return dropped.length == 0 && lines.length == 0 && authority == null;
    }

    /** True when a received field is left out. */
    public boolean drops(MessageHead head, int field) {
        for (byte[] name : dropped) {
            if (FieldName.equalsLower(head.bytes(), head.nameStart(field), head.nameEnd(field), name)) {
                return true;
            }
        }
        return false;
    }

    /** True when a field of this name, in lower case, is left out. */
    public boolean drops(String name) {
        byte[] lower = FieldName.lower(name);
        for (byte[] gone : dropped) {
            if (Arrays.equals(gone, lower)) {
                return true;
            }
        }
        return false;
    }

    /** True when a field of this name, in lower case, is added. */
    public boolean adds(String name) {
        return fields.stream().anyMatch(field -> field.name().equalsIgnoreCase(name));
    }

    /** The fields that are added. */
    public List<HeaderMutation.Field> added() {
        return Collections.unmodifiableList(fields);
    }

    /** The lines to add, each with its end. */
    public byte[] lines() {
        return lines;
    }

    /** The authority to send instead of the received one; null to keep it. */
    public @Nullable String authority() {
        return authority;
    }
}
