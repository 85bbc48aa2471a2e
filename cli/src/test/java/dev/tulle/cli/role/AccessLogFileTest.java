package dev.tulle.cli.role;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shows that the proxy gets a log that it can write, and that root makes files only where nobody else may. */
class AccessLogFileTest {
    private static final int PROXY = 15001;

    @TempDir
    Path folder;

    @BeforeEach
    void asRootInAFolderThatAllMayEnter() throws IOException {
        assumeTrue(owner(Path.of("/proc/self")) == 0, "root makes files for others");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static int owner(Path file) throws IOException {
        return (Integer) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    private String refusal(Path file) {
        return String.valueOf(assertThrows(IOException.class, () -> AccessLogFile.prepare(file.toString(), PROXY))
                .getMessage());
    }

    @Test
    void inAFolderOfRootsItIsMadeForTheProxy() throws Exception {
        Path file = folder.resolve("access.log");
        AccessLogFile.prepare(file.toString(), PROXY);
        assertEquals(PROXY, owner(file));
        assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        Files.writeString(file, "a line");
        AccessLogFile.prepare(file.toString(), PROXY);
        assertEquals("a line", Files.readString(file), "what is there stays");
    }

    @Test
    void aLinkIsNotFollowed() throws Exception {
        Path target = Files.writeString(folder.resolve("target"), "precious");
        Path link = Files.createSymbolicLink(folder.resolve("access.log"), target);
        assertTrue(refusal(link).contains("no regular file"));
        assertEquals(0, owner(target));
    }

    @Test
    void aFolderOfTheProxysIsLeftToIt() throws Exception {
        Files.setAttribute(folder, "unix:uid", PROXY);
        AccessLogFile.prepare(folder.resolve("access.log").toString(), PROXY);
        assertFalse(Files.exists(folder.resolve("access.log")));
    }

    @Test
    void whatTheProxyCannotReachOrWriteIsRefused() throws Exception {
        assertTrue(refusal(folder.resolve("none/access.log")).contains("does not exist"));
        Files.setAttribute(folder, "unix:uid", 12345);
        assertTrue(refusal(folder.resolve("access.log")).contains("may not write"));
        Files.setAttribute(folder, "unix:uid", 0);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-x---"));
        assertTrue(refusal(folder.resolve("access.log")).contains("may not enter"));
        assertFalse(Files.exists(folder.resolve("access.log")));
    }

    @Test
    void standardOutputAndNoneNeedNothing() throws Exception {
        AccessLogFile.prepare("-", PROXY);
        AccessLogFile.prepare("", PROXY);
    }
}
