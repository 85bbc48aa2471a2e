package dev.tulle.agent.enrol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.enrol.Probe.Check;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An exec probe's command must never be the first process of a workload's group, whose end would look like its end. */
class ProberTest {
    /** In place of a control group: the two files that a probe looks at. */
    @TempDir
    private Path group = Path.of("");

    @Test
    void aCommandRunsOnlyBesideTheWorkload() throws Exception {
        Path ran = group.resolve("ran");
        Files.writeString(group.resolve("cgroup.events"), "populated 0\nfrozen 0\n");
        Probe probe = new Probe(
                new Check.Exec(List.of("touch", ran.toString())),
                Duration.ZERO,
                Duration.ofMillis(20),
                Duration.ofSeconds(5),
                1,
                1);
        BlockingQueue<Boolean> changes = new LinkedBlockingQueue<>();
        try (Prober prober = Prober.start(List.of(probe), "127.0.0.1", group, false, changes::add)) {
            for (int i = 0; i < 200 && prober.trouble().isEmpty(); i++) {
                Thread.sleep(10);
            }
            assertTrue(prober.trouble().contains("no process of the workload"), prober.trouble());
            assertFalse(Files.exists(ran) || Files.exists(group.resolve("cgroup.procs")));
            Files.writeString(group.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
            assertEquals(true, changes.poll(10, TimeUnit.SECONDS));
            assertTrue(Files.exists(ran));
        }
    }
}
