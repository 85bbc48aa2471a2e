package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Optional;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shows that a damaged file never gives a text that nobody wrote, and that the version before it is used. */
class StateFileTest {
    private static final String OLD = "{\"a\":\"100.64.0.10\"}\n";
    private static final String NEW = "{\"a\":\"100.64.0.10\",\"b\":\"100.64.0.11\",\"é\":1}\n";

    /** Each of thousands of damages would be a line. */
    private static final Logger LOG = Logger.getLogger(StateFile.class.getName());

    @TempDir
    Path folder;

    @BeforeAll
    static void quiet() {
        LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void loud() {
        LOG.setLevel(null);
    }

    private Path path() {
        return folder.resolve("state.json");
    }

    private StateFile file() {
        return new StateFile(path(), "test", 3);
    }

    private byte[] written() throws IOException {
        StateFile file = file();
        file.save(OLD);
        file.save(NEW);
        return Files.readAllBytes(path());
    }

    private static void assertPrevious(StateFile.Loaded loaded, String what) {
        assertEquals(Optional.of(OLD), loaded.text(), what);
        assertTrue(loaded.trouble().contains("the version before it is used"), what + ": " + loaded);
    }

    @Test
    void everySingleBitThatFlipsIsNoticed() throws Exception {
        byte[] good = written();
        assertEquals(new StateFile.Loaded(Optional.of(NEW), ""), file().load());
        for (int at = 0; at < good.length; at++) {
            for (int bit = 0; bit < 8; bit++) {
                byte[] bad = good.clone();
                bad[at] ^= (byte) (1 << bit);
                Files.write(path(), bad);
                assertPrevious(file().load(), "byte " + at + ", bit " + bit);
            }
        }
    }

    @Test
    void everyTruncationIsNoticed() throws Exception {
        byte[] good = written();
        for (int length = 0; length < good.length; length++) {
            Files.write(path(), Arrays.copyOf(good, length));
            assertPrevious(file().load(), "cut after " + length + " bytes");
        }
        Files.write(path(), Arrays.copyOf(good, good.length + 1));
        assertPrevious(file().load(), "one byte more");
    }

    @Test
    void aMissingNewestIsTheOneBeforeIt() throws Exception {
        written();
        Files.delete(path());
        assertPrevious(file().load(), "missing");
    }

    @Test
    void aDamagedNewestDoesNotDriveOutTheGoodOneBeforeIt() throws Exception {
        byte[] good = written();
        good[good.length / 2] ^= 1;
        Files.write(path(), good);
        StateFile file = file();
        assertPrevious(file.load(), "damaged");
        file.save(NEW);
        assertEquals(new StateFile.Loaded(Optional.of(NEW), ""), file().load());
        assertTrue(Files.exists(folder.resolve("state.json.damaged")));
        Files.writeString(path(), "nothing");
        assertPrevious(file().load(), "damaged again");
    }

    @Test
    void bothDamagedBeginsAnewAndSaysSo() throws Exception {
        written();
        Files.writeString(path(), "nothing");
        Files.writeString(folder.resolve("state.json.before"), "nothing either");
        StateFile.Loaded loaded = file().load();
        assertEquals(Optional.empty(), loaded.text());
        assertTrue(loaded.trouble().contains("begun anew"), loaded.trouble());
    }

    @Test
    void nothingAtAllIsNoTrouble() {
        assertEquals(new StateFile.Loaded(Optional.empty(), ""), file().load());
    }

    @Test
    void anotherVersionOrKindIsRefused() throws Exception {
        new StateFile(path(), "test", 4).save(NEW);
        assertTrue(file().load().trouble().contains("of version 4, expected 3"));
        new StateFile(path(), "other", 3).save(NEW);
        assertFalse(file().load().text().isPresent());
    }

    @Test
    void aTextFromBeforeThereWereHeadersIsTakenOnce() throws Exception {
        Files.writeString(path(), "{old}");
        StateFile file =
                new StateFile(path(), "test", 3, text -> text.startsWith("{") ? Optional.of(OLD) : Optional.empty());
        assertEquals(Optional.of(OLD), file.load().text());
        file.save(NEW);
        assertEquals(Optional.of(NEW), file().load().text());
        Files.delete(path());
        assertEquals(Optional.of(OLD), file.load().text(), "the earlier form is the version before");
    }

    @Test
    void onlyTheOwnerReadsItAndLinksAreNotFollowed() throws Exception {
        Path target = Files.writeString(folder.resolve("target"), "precious");
        Files.createSymbolicLink(folder.resolve("state.json.new"), target);
        Files.createSymbolicLink(path(), target);
        StateFile file = file();
        assertTrue(file.load().text().isEmpty());
        file.save(NEW);
        assertEquals("precious", Files.readString(target));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(path())));
        assertEquals(Optional.of(NEW), file().load().text());
    }

    @Test
    void whatCannotBeWrittenLeavesWhatWasThere() throws Exception {
        written();
        StateFile elsewhere = new StateFile(folder.resolve("none/state.json"), "test", 3);
        assertThrows(IOException.class, () -> elsewhere.save(NEW));
        assertEquals(Optional.of(NEW), file().load().text());
    }
}
