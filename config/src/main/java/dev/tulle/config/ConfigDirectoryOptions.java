package dev.tulle.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * How a directory is watched.
 *
 * @param directory made when it is missing
 * @param quiet a changed file is read when nothing was written to it for this long; default 20 ms
 * @param settle the same for a file that looks half-written: empty, cut off, not YAML, or with resources missing that
 *     it had before; default 500 ms
 * @param resync how often the whole directory is compared, for changes that were not notified; default 5 s
 * @param lastGood a file outside the directory that keeps the last good version of what is wrong in the directory, so
 *     that a restart does not lose it; default none
 */
public record ConfigDirectoryOptions(
        Path directory,
        Duration quiet,
        Duration settle,
        Duration resync,
        ManifestParser.Limits limits,
        Optional<Path> lastGood) {
    /** The defaults. */
    public static ConfigDirectoryOptions of(Path directory) {
        return new ConfigDirectoryOptions(
                directory,
                Duration.ofMillis(20),
                Duration.ofMillis(500),
                Duration.ofSeconds(5),
                ManifestParser.Limits.DEFAULT,
                Optional.empty());
    }

    /** The same with a file for the last good versions. */
    public ConfigDirectoryOptions withLastGood(Path file) {
        return new ConfigDirectoryOptions(directory, quiet, settle, resync, limits, Optional.of(file));
    }
}
