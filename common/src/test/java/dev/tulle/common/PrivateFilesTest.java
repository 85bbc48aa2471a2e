package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an unprivileged user may prepare for a process of root that writes into his directory. Runs as root. */
class PrivateFilesTest {
    private static final int STRANGER = 5432;

    @TempDir
    private Path directory = Path.of("");

    private Path folderOfAStranger() throws IOException {
        Path folder = Files.createDirectory(directory.resolve("logs"));
        Files.setAttribute(folder, "unix:uid", STRANGER);
        return folder;
    }

    private static void append(Path file) throws IOException {
        try (OutputStream out = PrivateFiles.append(file)) {
            out.write('x');
        }
    }

    @Test
    void aFileOfItsOwnIsWrittenAndAppendedTo() throws IOException {
        Path file = folderOfAStranger().resolve("access.log.kernel");
        append(file);
        append(file);
        assertEquals("xx", Files.readString(file));
    }

    @Test
    void noLinkIsFollowedAndNoOtherFileWrittenInto() throws IOException {
        Path folder = folderOfAStranger();
        Path secret = Files.writeString(directory.resolve("secret"), "root's");
        Path link = Files.createSymbolicLink(folder.resolve("link"), secret);
        assertThrows(IOException.class, () -> append(link));
        Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), directory.resolve("made"));
        assertThrows(IOException.class, () -> append(dangling));
        Path second = Files.createLink(folder.resolve("second"), secret);
        assertThrows(IOException.class, () -> append(second));
        Path his = Files.createFile(folder.resolve("his"));
        Files.setAttribute(his, "unix:uid", STRANGER);
        assertThrows(IOException.class, () -> append(his));
        assertEquals("root's", Files.readString(secret));
        assertEquals(false, Files.exists(directory.resolve("made")));
    }

    @Test
    void aDirectoryThatAStrangerCouldExchangeIsNotWrittenInto() throws IOException {
        Path inner = Files.createDirectory(folderOfAStranger().resolve("inner"));
        assertThrows(IOException.class, () -> append(inner.resolve("log")));
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
        Path linked = Files.createSymbolicLink(directory.resolve("linked"), elsewhere);
        assertThrows(IOException.class, () -> append(linked.resolve("log")));
    }

    @Test
    void noNameAboveIsOneThatOthersMayChange() throws IOException {
        Path open = Files.createDirectory(directory.resolve("open"));
        Path logs = Files.createDirectory(open.resolve("logs"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThrows(IOException.class, () -> append(logs.resolve("log")));
        Files.setAttribute(open, "unix:mode", 01777);
        append(logs.resolve("log"));
        Files.setAttribute(logs, "unix:uid", STRANGER);
        assertThrows(IOException.class, () -> append(logs.resolve("log")), "he may rename his own");
        Path way = Files.createSymbolicLink(directory.resolve("way"), open);
        assertThrows(IOException.class, () -> append(way.resolve("logs").resolve("log")), "also by root's own link");
    }

    @Test
    void whatIsRemovedIsInTheDirectoryWhateverItsUserExchangesMeanwhile() throws Exception {
        Path outside = Files.createDirectory(directory.resolve("outside"));
        Path secret = outside.resolve("secret");
        for (int round = 0; round < 300; round++) {
            Files.writeString(secret, "root's");
            Path folder = folderOfAStranger();
            Path inner = Files.createDirectory(folder.resolve("inner"));
            Files.createFile(inner.resolve("secret"));
            Path link = Files.createSymbolicLink(folder.resolve("link"), outside);
            AtomicBoolean done = new AtomicBoolean();
            Thread stranger = Thread.ofPlatform().start(() -> exchange(inner, link, folder.resolve("third"), done));
            try {
                PrivateFiles.removeTree(folder);
            } catch (IOException e) {
                assertTrue(e.getMessage() != null);
            }
            done.set(true);
            stranger.join();
            assertTrue(Files.exists(secret), "round " + round);
            PrivateFiles.removeTree(folder);
            assertTrue(Files.notExists(folder));
        }
    }

    private static void exchange(Path one, Path other, Path third, AtomicBoolean done) {
        while (!done.get()) {
            try {
                Files.move(one, third);
                Files.move(other, one);
                Files.move(third, other);
            } catch (IOException e) {
                // Removed already.
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void aDirectoryIsClosedWhenItIsOurs() throws IOException {
        Path fresh = directory.resolve("fresh");
        PrivateFiles.directory(fresh, List.of("mark"));
        assertEquals("rwxr-x---", mode(fresh));
        Path shared = Files.createDirectory(directory.resolve("shared"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxr-xr-x"));
        PrivateFiles.directory(shared, List.of("mark"));
        assertEquals("rwxr-xr-x", mode(shared), "somebody else's directory");
        Files.createFile(shared.resolve("mark"));
        PrivateFiles.directory(shared, List.of("mark"));
        assertEquals("rwxr-x---", mode(shared));
    }

    private static String mode(Path file) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
    }
}
