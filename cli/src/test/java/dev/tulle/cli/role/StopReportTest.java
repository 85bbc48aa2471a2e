package dev.tulle.cli.role;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.agent.MeshEnd;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Shows what a person reads about workloads that go on without their mesh. */
class StopReportTest {
    @Test
    void namesWhatGoesOnWhatDoesNotAndTheWayOut() {
        MeshEnd.Suspended end = new MeshEnd.Suspended(
                List.of(
                        new MeshEnd.Survivor("default/web", "100.64.0.10", List.of("http:8080"), List.of(18080)),
                        new MeshEnd.Survivor("shop/job", "100.64.0.11", List.of(), List.of())),
                List.of(8080, 9090),
                List.of());
        List<String> lines = StopReport.suspended(end, " --mesh two");
        assertTrue(lines.getFirst().startsWith("stopped; 2 workloads go on"), lines.toString());
        assertEquals("  default/web (100.64.0.10, http:8080)", lines.get(1));
        assertEquals("  shop/job (100.64.0.11)", lines.get(2));
        assertTrue(lines.stream().anyMatch(line -> line.contains("published ports are closed: 18080")));
        assertTrue(lines.getLast().endsWith("tulle detach --all --mesh two"), lines.getLast());
    }

    @Test
    void manyAreCounted() {
        List<MeshEnd.Survivor> many = new ArrayList<>();
        for (int i = 0; i < 33; i++) {
            many.add(new MeshEnd.Survivor("default/w" + i, "100.64.0." + (10 + i), List.of(), List.of()));
        }
        List<String> lines = StopReport.unreachable(many);
        assertEquals(22, lines.size());
        assertEquals("  and 13 more", lines.getLast());
    }
}
