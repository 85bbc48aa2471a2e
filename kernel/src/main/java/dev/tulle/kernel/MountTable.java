package dev.tulle.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The mounts of this process, from /proc/self/mountinfo. Pure once read. */
final class MountTable {
    private static final Path SELF = Path.of("/proc/self/mountinfo");

    /** One mount: {@code root} is the part of the file system that is mounted, "/" for all of it. */
    record Mount(String type, String root, Path point) {}

    private MountTable() {}

    static List<Mount> read() throws IOException {
        return parse(Files.readAllLines(SELF));
    }

    /** Later lines may hide earlier ones at the same place. */
    static List<Mount> parse(List<String> lines) {
        List<Mount> mounts = new ArrayList<>();
        for (String line : lines) {
            String[] fields = line.split(" ", -1);
            int separator = 6;
            while (separator < fields.length && !fields[separator].equals("-")) {
                separator++; // any number of optional fields
            }
            if (separator + 1 < fields.length) {
                mounts.add(new Mount(fields[separator + 1], unescape(fields[3]), Path.of(unescape(fields[4]))));
            }
        }
        return mounts;
    }

    /** Spaces and the like are written as a backslash and three octal digits. */
    private static String unescape(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\'
                    && i + 3 < text.length()
                    && text.substring(i + 1, i + 4).matches("[0-3][0-7]{2}")) {
                out.append((char) Integer.parseInt(text.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }
}
