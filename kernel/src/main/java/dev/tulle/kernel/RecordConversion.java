package dev.tulle.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Rewrites a record of one layout as a record of another, field by field by name: fields that only the new layout has stay
 * zero, fields that only the old one has are left out. Immutable; any thread.
 */
final class RecordConversion {
    /** Moves one field; false when its value has no room. */
    private interface Step {
        boolean apply(MemorySegment from, MemorySegment to);
    }

    private final List<Step> steps;
    private final List<String> left;
    private final int whole;

    private RecordConversion(List<Step> steps, List<String> left, int whole) {
        this.steps = steps;
        this.left = left;
        this.whole = whole;
    }

    /** Records that are the same on both sides, or of which nothing but the size is known. */
    static RecordConversion asTheyAre(int size) {
        return new RecordConversion(List.of(), List.of(), size);
    }

    static RecordConversion of(RecordLayout from, RecordLayout to) {
        if (from.describe().equals(to.describe())) {
            return asTheyAre(to.size());
        }
        List<Step> steps = new ArrayList<>();
        List<String> left = new ArrayList<>();
        add(from, to, steps, left);
        return new RecordConversion(List.copyOf(steps), List.copyOf(left), 0);
    }

    private static void add(RecordLayout from, RecordLayout to, List<Step> steps, List<String> left) {
        for (RecordLayout.Field source : from.fields()) {
            RecordLayout.Field target = null;
            for (RecordLayout.Field candidate : to.fields()) {
                if (candidate.name().equals(source.name())) {
                    target = candidate;
                }
            }
            if (target == null) {
                left.add(from.name() + "." + source.name());
            } else {
                step(source, target, steps, left);
            }
        }
    }

    private static void step(
            RecordLayout.Field source, RecordLayout.Field target, List<Step> steps, List<String> left) {
        RecordLayout fromNested = source.nested();
        RecordLayout toNested = target.nested();
        RecordLayout fromElement = source.element();
        RecordLayout toElement = target.element();
        if (fromNested != null && toNested != null) {
            add(fromNested, toNested, steps, left);
        } else if (fromElement != null && toElement != null) {
            List<Step> inner = new ArrayList<>();
            add(fromElement, toElement, inner, left);
            int count = Math.min(source.count(), target.count());
            steps.add((from, to) -> {
                boolean fits = true;
                for (int i = 0; i < count; i++) {
                    MemorySegment one = from.asSlice((long) i * fromElement.size());
                    MemorySegment other = to.asSlice((long) i * toElement.size());
                    for (Step step : inner) {
                        fits &= step.apply(one, other);
                    }
                }
                return fits;
            });
        } else if (source.isInteger() && target.isInteger()) {
            steps.add((from, to) -> {
                long value = source.get(from);
                if (target.size() < Long.BYTES && value >>> (8 * target.size()) != 0) {
                    return false;
                }
                target.set(to, value);
                return true;
            });
        } else if (source.count() > 0 && target.count() > 0 && elementSize(source) == elementSize(target)) {
            int bytes = Math.min(source.size(), target.size());
            steps.add((from, to) -> {
                MemorySegment.copy(from, source.offset(), to, target.offset(), bytes);
                return isZero(from, source.offset() + bytes, source.size() - bytes);
            });
        } else {
            left.add(source.name());
        }
    }

    private static int elementSize(RecordLayout.Field array) {
        return array.size() / array.count();
    }

    private static boolean isZero(MemorySegment from, int offset, int size) {
        for (int i = 0; i < size; i++) {
            if (from.get(ValueLayout.JAVA_BYTE, (long) offset + i) != 0) {
                return false;
            }
        }
        return true;
    }

    /** Fields of the old layout that the new one has no place for. */
    List<String> left() {
        return left;
    }

    /**
     * Writes {@code from} to {@code to}, which must be zero.
     *
     * @return false when a value has no room in the new field; {@code to} is then of no use
     */
    boolean convert(MemorySegment from, MemorySegment to) {
        if (whole > 0) {
            MemorySegment.copy(from, 0, to, 0, whole);
            return true;
        }
        boolean fits = true;
        for (Step step : steps) {
            fits &= step.apply(from, to);
        }
        return fits;
    }
}
