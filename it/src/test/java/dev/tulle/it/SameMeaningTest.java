package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Short runs of the proofs in {@code it/equality}: the kernel's path and the proxy's mean the same, and no request is lost
 * while everything dies. Its README has the long forms.
 */
@Tag("e2e")
class SameMeaningTest {
    @Test
    void generatedCasesAreAnsweredEquallyOnBothPaths() throws Exception {
        proof("equality", "--cases", "200", "--per-configuration", "100", "--least-share", "20");
    }

    /** The same harness, with servers that lie: it must see it. */
    @Test
    void aWrongAnswerIsSeen() throws Exception {
        proof("torture", "--only", "off", "--requests", "60000", "--lie", "500");
    }

    @Test
    void requestsSurviveKilledServersAndClients() throws Exception {
        // On a host that is busy with something else, the slowest of a few requests says little.
        proof("torture", "--requests", "150000", "--reference", "40000", "--limit", "60", "--slack", "3");
    }

    @Test
    void largeBodiesAndIdleConnectionsKeepWithinTheirLimits() throws Exception {
        proof("limits", "--size", Integer.toString(64 << 20), "--idle", "500");
    }

    private static void proof(String tool, String... options) throws Exception {
        List<String> words = new ArrayList<>(
                List.of(MeshLab.home().resolve("it/equality/run").toString(), tool));
        words.addAll(List.of(options));
        Command.Result result = Command.of(words).within(Duration.ofMinutes(4)).run();
        // Notes go to the standard error; without one, the last lines say what ended the tool.
        List<String> said =
                Stream.concat(result.out().lines(), result.err().lines()).toList();
        List<String> bad =
                said.stream().filter(line -> line.startsWith("not ok")).toList();
        List<String> last = said.subList(Math.max(0, said.size() - 4), said.size());
        assertEquals(0, result.status(), (bad.isEmpty() ? last : bad) + "\n" + result);
        assertTrue(result.out().strip().endsWith(" passed, 0 failed"), result.toString());
    }
}
