package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Goal: a process without capabilities is told so in one line. Method: a JVM of its own with an empty bounding set. */
@Timeout(60)
class PrivilegeTest {
    /** Runs in the other JVM. */
    static final class Attempt {
        private Attempt() {}

        public static void main(String[] args) {
            System.out.println(FeatureProbe.capability("CAP_BPF"));
            System.out.println(FeatureProbe.libbpf());
            try (BpfObject object = BpfObject.open(Path.of(args[0]))) {
                System.out.println(object.load(Set.of("sample_connect4")));
            } catch (BpfLoadException e) {
                System.out.println(e.reason() + " " + Errno.name(e.errno()));
                System.out.println(e.getMessage());
            }
            System.out.println(LeakTracker.open());
        }
    }

    @Test
    void withoutCapabilitiesTheLoadIsRefusedAsSuch() throws Exception {
        Process process = new ProcessBuilder(
                        "setpriv",
                        "--inh-caps=-all",
                        "--bounding-set=-all",
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Attempt.class.getName(),
                        TestObjects.sample().toString())
                .redirectErrorStream(true)
                .start();
        List<String> lines = process.inputReader().readAllLines();
        assertEquals(0, process.waitFor(), lines.toString());
        assertTrue(lines.getFirst().contains("available=false"), lines.toString());
        assertTrue(lines.get(1).contains("available=true"), lines.toString());
        assertEquals("PERMISSION EPERM", lines.get(2), lines.toString());
        assertEquals("[]", lines.getLast(), "a failed load leaves nothing open");
        assertEquals(5, lines.size(), lines.toString());
    }
}
