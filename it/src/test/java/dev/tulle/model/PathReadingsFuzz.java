package dev.tulle.model;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;

/** Paths as policies read them: a bounded number of readings, each in canonical form, in linear time. */
public final class PathReadingsFuzz {
    private PathReadingsFuzz() {}

    /** One path, a character a byte. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 1_500_000, 8_000, () -> check(new String(data, StandardCharsets.ISO_8859_1)));
    }

    private static void check(String path) {
        List<String> readings = PathReadings.of(path);
        Cost.must(readings.size() <= 96, readings.size() + " readings");
        Cost.must(new HashSet<>(readings).size() == readings.size(), "a reading twice");
        Cost.must(!PathReadings.isPlain(path) || readings.equals(List.of(path)), "a plain path has one reading");
        for (String reading : readings) {
            Cost.must(reading.length() <= 3 * path.length() + 1, "a reading of " + reading.length());
            Cost.must(reading.chars().allMatch(c -> c > ' ' && c < 127), "a reading with odd characters: " + reading);
        }
    }

    /** Paths with escapes, dots and parameters. */
    public static List<byte[]> seeds() {
        return List.of(
                        "/",
                        "/a//./b/../%63",
                        "/a%2fb%252f..;x=y/c",
                        "/a\\..\\b%5c",
                        "/caf\u00e9%c3%a9%C0%AF",
                        "/%",
                        "/%2",
                        "/%00")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.ISO_8859_1))
                .toList();
    }
}
