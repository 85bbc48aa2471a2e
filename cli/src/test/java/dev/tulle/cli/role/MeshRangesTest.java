package dev.tulle.cli.role;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.Cidr;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Shows which addresses a mesh has when nobody says. */
class MeshRangesTest {
    private static MeshRanges of(String mesh, int offset) {
        return MeshRanges.of(mesh, offset, null, null);
    }

    @Test
    void theOneMeshOfAHostHasTheDefaults() {
        assertEquals(new MeshRanges("100.64.0.0/10", "240.240.0.0/16"), of("tulle", 0));
        assertEquals("fd74:756c:6c65::", of("tulle", 0).twin("fd74:756c:6c65"));
    }

    @Test
    void meshesByNameOrOffsetAloneHaveOthersTheSameAtEveryStart() {
        assertEquals(of("use", 8000), of("use", 8000));
        assertNotEquals(of("use", 8000).workloads(), of("use2", 9000).workloads());
        assertNotEquals(of("tulle", 1000).workloads(), of("tulle", 2000).workloads());
        assertNotEquals(
                of("tulle", 1000).twin("fd74:756c:6c65"), of("tulle", 2000).twin("fd74:756c:6c65"));
    }

    @Test
    void everyOneIsAPartOfTheSharedSpaceAndNeverTheDefaultMeshsPrefix() {
        Cidr shared = Cidr.of("shared", "100.64.0.0/10");
        Cidr first = Cidr.of("first", "100.64.0.0/16");
        Set<String> parts = new HashSet<>();
        for (int i = 0; i < 2000; i++) {
            MeshRanges ranges = of("mesh-" + i, i);
            Cidr workloads = Cidr.of("workloads", ranges.workloads());
            Cidr services = Cidr.of("services", ranges.services());
            assertTrue(shared.contains(workloads) && !first.contains(workloads), ranges.toString());
            assertTrue(services.bits() == 16 && ranges.services().startsWith("240."), ranges.toString());
            parts.add(ranges.workloads());
        }
        assertTrue(parts.size() > 230, "spread over " + parts.size() + " parts");
    }

    @Test
    void whatIsGivenCounts() {
        MeshRanges ranges = MeshRanges.of("use", 8000, "10.9.0.0/16", null);
        assertEquals("10.9.0.0/16", ranges.workloads());
        assertEquals(of("use", 8000).services(), ranges.services());
    }
}
