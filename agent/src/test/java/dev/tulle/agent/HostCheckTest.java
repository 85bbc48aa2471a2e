package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.tier.Tier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The check of the host changes nothing, and names a remedy for what it misses. */
class HostCheckTest {
    @TempDir
    Path dir;

    @Test
    void saysWhatIsPossibleAndLeavesNothing() throws IOException {
        MeshHost host = new MeshHost(dir, Optional.empty());
        HostCheck.Report report = HostCheck.run(host.options);
        assertEquals(Optional.of(Tier.SPLICE), report.best(), report.toString());
        assertEquals(4, report.tiers().size());
        for (HostCheck.Check check : report.checks()) {
            assertFalse(check.detail().isEmpty(), check.name());
            assertTrue(check.ok() || !check.remedy().isEmpty(), check.toString());
        }
        assertEquals("splice", report.toJson().get("tier").getAsString());
        assertEquals(List.of(), host.traces());
    }

    @Test
    void withoutTheKernelObjectTheLowerTiersRemain() throws IOException {
        AgentOptions options =
                AgentOptions.builder().bpfObject(dir.resolve("missing.o")).build();
        HostCheck.Report report = HostCheck.run(options);
        assertEquals(Optional.of(Tier.NFTABLES), report.best());
        assertTrue(report.tiers().getFirst().reason().contains("missing.o"), report.toString());
    }
}
