package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Holds the table of reasons equal to the one that the kernel programs are built with. */
class ReasonTest {
    private static final Pattern ROW = Pattern.compile("X\\((\\d+),\\s*(\\w+),\\s*\"([^\"]*)\"\\s*\\)");

    @Test
    void equalsTheKernelsTable() throws IOException {
        List<String> kernel = new ArrayList<>();
        Matcher rows = ROW.matcher(Files.readString(Path.of("..", "bpf", "lib", "reasons.h")));
        while (rows.find()) {
            kernel.add(rows.group(1) + " " + rows.group(2) + " " + rows.group(3));
        }
        List<String> java = Arrays.stream(Reason.values())
                .map(reason -> reason.number() + " " + reason.name() + " " + reason.text())
                .toList();
        assertTrue(kernel.size() > 20, "rows found: " + kernel.size());
        assertEquals(kernel, java);
    }

    @Test
    void numbersAreUniqueAndFitTheTable() {
        assertEquals(
                Reason.values().length,
                Arrays.stream(Reason.values())
                        .mapToInt(Reason::number)
                        .distinct()
                        .count());
        for (Reason reason : Reason.values()) {
            assertTrue(reason.number() < Reason.TABLE_SIZE);
            assertEquals(reason, Reason.of(reason.number()).orElseThrow());
        }
        assertTrue(Reason.of(Reason.TABLE_SIZE).isEmpty());
        assertEquals(Reason.Kind.REFUSED, Reason.NO_ENDPOINT.kind());
        assertEquals(Reason.Kind.NOT_KERNEL, Reason.NEEDS_HTTP.kind());
    }
}
