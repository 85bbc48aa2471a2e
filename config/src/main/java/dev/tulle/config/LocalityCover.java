package dev.tulle.config;

import java.util.Comparator;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * The localities that a list has named so far, to find one that is named twice: as Istio has it, a place that comes after
 * one that covers it is wrong. Not thread-safe.
 */
final class LocalityCover {
    /** An order in which a place comes after every one that covers it. */
    static final Comparator<String> WIDEST_FIRST = Comparator.<String, Integer>comparing(
                    place -> place.split("/", -1).length)
            .thenComparing(place -> !place.endsWith("*"))
            .thenComparing(Comparator.naturalOrder());

    /** Everything below them is covered. */
    private final Set<String> whole = new HashSet<>();
    /** They, or something below them, were named. */
    private final Set<String> touched = new HashSet<>();

    /** Adds a place; what is wrong with it, if anything is. */
    Optional<String> add(String place) {
        int star = place.indexOf('*');
        if (star >= 0 && star < place.length() - 1) {
            return Optional.of("not a place: it has a '*' that is not at the end");
        }
        String[] parts = place.split("/", 3);
        for (String part : parts) {
            if (part.isEmpty()) {
                return Optional.of("not a place: a part of it is empty");
            }
        }
        String region = parts[0];
        boolean covered = whole.contains("*") || whole.contains(region);
        String path = region;
        for (int i = 1; i < parts.length && !covered; i++) {
            covered = whole.contains(path + "/*");
            path += "/" + parts[i];
            covered |= whole.contains(path);
        }
        if (covered || touched.contains(place)) {
            return Optional.of("covered by an entry before it");
        }
        whole.add(place);
        for (int end = place.indexOf('/'); end >= 0; end = place.indexOf('/', end + 1)) {
            touched.add(place.substring(0, end));
        }
        touched.add(place);
        return Optional.empty();
    }
}
