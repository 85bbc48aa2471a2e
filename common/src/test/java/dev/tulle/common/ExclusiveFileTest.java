package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shows that one process at a time holds the file, whatever the holder reads and writes meanwhile. */
class ExclusiveFileTest {
    @TempDir
    Path folder;

    /** Ends with 0 when the lock can be had by another process. */
    private boolean freeForAnother(Path file) throws IOException, InterruptedException {
        Process other = new ProcessBuilder(
                        "python3",
                        "-c",
                        "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB)",
                        file.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("other.log").toFile())
                .start();
        assertTrue(other.waitFor(20, TimeUnit.SECONDS));
        return other.exitValue() == 0;
    }

    @Test
    void oneHolderUntilItIsGivenBack() throws Exception {
        Path file = folder.resolve("lock");
        try (ExclusiveFile held = ExclusiveFile.tryHold(file).orElseThrow()) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
            assertEquals("", held.text());
            held.write("process 1, a long line");
            held.write("process 2");
            assertEquals("process 2", held.text());
            assertTrue(ExclusiveFile.tryHold(file).isEmpty());
        }
        try (ExclusiveFile next = ExclusiveFile.tryHold(file).orElseThrow()) {
            assertEquals("process 2", next.text(), "what the holder before wrote");
        }
    }

    @Test
    void writingTheTextDoesNotGiveTheLockAway() throws Exception {
        Path file = folder.resolve("lock");
        ExclusiveFile held = ExclusiveFile.tryHold(file).orElseThrow();
        held.write("me");
        assertEquals("me", held.text());
        assertTrue(!freeForAnother(file), "another process must not get it");
        held.close();
        assertTrue(freeForAnother(file));
    }

    @Test
    void linksAreNotFollowed() throws Exception {
        Path target = Files.writeString(folder.resolve("target"), "precious");
        Path link = Files.createSymbolicLink(folder.resolve("lock"), target);
        assertThrows(IOException.class, () -> ExclusiveFile.tryHold(link));
        assertEquals("precious", Files.readString(target));
    }
}
