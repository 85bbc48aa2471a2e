package dev.tulle.common;

import dev.tulle.it.fuzz.Cost;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * State files: any bytes in the place of the newest one give the text before it and a sentence, never another text; what
 * was saved is read, and with any one bit changed it is not. The first two bytes say which bit.
 */
public final class StateFileFuzz {
    private static final Path FOLDER = folder();

    private StateFileFuzz() {}

    private static Path folder() {
        try {
            Path folder = Files.createTempDirectory("tulle-state-fuzz");
            folder.toFile().deleteOnExit();
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One file. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, 400_000, 200, () -> {
            try {
                check(data);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static void check(byte[] data) throws IOException {
        Path path = FOLDER.resolve("state");
        try {
            Files.write(path, data);
            StateFile.Loaded alone = new StateFile(path, "fuzz", 1).load();
            Cost.must(alone.text().isEmpty() != alone.trouble().isEmpty(), "neither a text nor a reason");
            String text = new String(data, StandardCharsets.UTF_8);
            Files.delete(path);
            new StateFile(path, "fuzz", 1).save(text);
            byte[] saved = Files.readAllBytes(path);
            Cost.must(new StateFile(path, "fuzz", 1).load().text().equals(Optional.of(text)), "not what was saved");
            Cost.must(new StateFile(path, "other", 1).load().text().isEmpty(), "read as another kind");
            Cost.must(new StateFile(path, "fuzz", 2).load().text().isEmpty(), "read as another version");
            if (data.length >= 2) {
                byte[] changed = saved.clone();
                int bit = ((data[0] & 0xff) << 8 | (data[1] & 0xff)) % (8 * saved.length);
                changed[bit / 8] ^= (byte) (1 << bit % 8);
                Files.write(path, changed);
                Cost.must(new StateFile(path, "fuzz", 1).load().text().isEmpty(), "a changed bit is not seen");
                Files.write(path, Arrays.copyOf(saved, bit / 8));
                Cost.must(new StateFile(path, "fuzz", 1).load().text().isEmpty(), "a missing end is not seen");
            }
        } finally {
            for (String name : List.of("state", "state.before", "state.new", "state.link", "state.damaged")) {
                Files.deleteIfExists(FOLDER.resolve(name));
            }
        }
    }

    /** Texts with and without a header. */
    public static List<byte[]> seeds() {
        return List.of(
                "  {\"schema\": 1}".getBytes(StandardCharsets.UTF_8),
                "\u0000\u0013tulle-state fuzz 1 00\ntext".getBytes(StandardCharsets.UTF_8),
                new byte[] {1, 2, (byte) 0xc3, (byte) 0x28});
    }
}
