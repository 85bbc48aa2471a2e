package dev.tulle.cli.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PidFileTest {
    @TempDir
    private Path directory;

    @Test
    void aLivingProcessIsFoundUntilItEnds() throws Exception {
        Process process = new ProcessBuilder("sleep", "60").start();
        PidFile.write(directory, "proxy", process.pid());
        assertEquals(OptionalLong.of(process.pid()), PidFile.living(directory, "proxy"));

        process.destroyForcibly().waitFor();

        assertEquals(OptionalLong.empty(), PidFile.living(directory, "proxy"));
    }

    @Test
    void anotherProcessWithTheSamePidIsNotMistakenForIt() throws IOException {
        long own = ProcessHandle.current().pid();
        PidFile.write(directory, "proxy", own);
        Files.writeString(directory.resolve("proxy.pid"), own + " 12345\n");

        assertEquals(OptionalLong.empty(), PidFile.living(directory, "proxy"));
    }

    @Test
    void nonsenseIsNobody() throws IOException {
        assertEquals(OptionalLong.empty(), PidFile.living(directory, "proxy"));
        for (String text : new String[] {"", "x y", "1", "-1 0", "1 2 3"}) {
            Files.writeString(directory.resolve("proxy.pid"), text);
            assertEquals(OptionalLong.empty(), PidFile.living(directory, "proxy"), text);
        }
    }

    @Test
    void aProcessThatIsGoneCannotBeWritten() throws Exception {
        Process process = new ProcessBuilder("true").start();
        process.waitFor();

        assertThrows(IOException.class, () -> PidFile.write(directory, "proxy", process.pid()));
    }
}
