package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.kernel.VerifierLog.Cause;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Goal: an object loads in two steps, refusals are isolated and explained. Method: real loads of small objects. */
class BpfObjectTest {
    @Test
    void openReadsNamesAndLayoutsWithoutTheKernel() {
        try (BpfObject object = BpfObject.open(TestObjects.sample())) {
            assertEquals(ORDER, List.copyOf(object.programSpecs().keySet()));
            ProgramSpec connect = object.programSpec("sample_connect4");
            assertEquals("cgroup/connect4", connect.section());
            assertEquals(ProgramType.CGROUP_SOCK_ADDR.number(), connect.type());
            assertEquals(AttachType.CGROUP_INET4_CONNECT.number(), connect.attachType());
            MapSpec workloads = object.mapSpec("workloads");
            assertEquals("HASH", workloads.typeName());
            assertEquals(40, workloads.valueSize());
            assertEquals(
                    Map.of("SAMPLE_NONE", 0L, "SAMPLE_REFUSED", 7L, "SAMPLE_LARGE", 4000000000L),
                    object.btf().enumConstants("sample_reason"));
            assertThrows(IllegalArgumentException.class, () -> object.program("sample_connect4"));
        }
    }

    private static final List<String> ORDER = List.of(
            "sample_connect4",
            "sample_refuse4",
            "sample_sockopt",
            "sample_sockops",
            "sample_skmsg",
            "sample_skb",
            "sample_lookup");

    @Test
    void loadsAndSaysWhatIsThere() {
        try (BpfObject object = BpfObject.open(TestObjects.sample())) {
            object.autoload("sample_sockopt", false).maxEntries("workloads", 77);
            LoadReport report = object.load();
            assertEquals(6, report.loaded().size());
            assertFalse(object.hasProgram("sample_sockopt"));
            assertEquals(77, object.map("workloads").spec().maxEntries());
            ProgramInfo info = object.program("sample_connect4").info();
            assertEquals("sample_connect4", info.name());
            assertTrue(info.instructions() > 10, info.toString());
            assertTrue(info.verifiedInstructions() > 10, info.toString());
            assertEquals(info.id(), BpfProgram.infoOf(info.id()).id());
            assertThrows(IllegalStateException.class, object::load);
        }
    }

    @Test
    void everyRefusalIsNamedClassifiedAndLeftOut() {
        Map<String, Cause> expected = Map.ofEntries(
                Map.entry("null_pointer", Cause.NULL_POINTER),
                Map.entry("wrong_helper", Cause.HELPER),
                Map.entry("unknown_helper", Cause.HELPER),
                Map.entry("return_value", Cause.RETURN_VALUE),
                Map.entry("scalar_access", Cause.INVALID_ACCESS),
                Map.entry("context_access", Cause.INVALID_ACCESS),
                Map.entry("endless", Cause.LOOP),
                Map.entry("reference", Cause.REFERENCE),
                Map.entry("stack_read", Cause.STACK),
                Map.entry("too_large", Cause.INSTRUCTION_LIMIT),
                Map.entry("packet_access", Cause.INVALID_ACCESS));
        try (BpfObject object = BpfObject.open(TestObjects.compiled("refused.bpf.c", List.of()))) {
            LoadReport report = object.load(Set.of("good"));
            assertEquals(List.of("good"), report.loaded());
            for (Map.Entry<String, Cause> entry : expected.entrySet()) {
                BpfLoadException.Refusal refusal =
                        report.refusalOf(entry.getKey()).orElseThrow();
                assertEquals(entry.getValue(), refusal.cause(), refusal.line());
                assertFalse(refusal.line().contains("\n"), refusal.line());
                assertFalse(refusal.verifierLog().isEmpty(), refusal.line());
                assertTrue(refusal.errno() > 0, refusal.line());
                if (Boolean.getBoolean("tulle.show")) {
                    System.out.println(refusal.line());
                }
            }
            assertEquals(expected.size(), report.refused().size());
        }
    }

    @Test
    void aRequiredProgramThatIsRefusedFailsTheLoadAndKeepsTheLog() {
        try (BpfObject object = BpfObject.open(TestObjects.compiled("refused.bpf.c", List.of()))) {
            object.programSpecs().keySet().forEach(p -> object.autoload(p, p.equals("null_pointer")));
            BpfLoadException refused = assertThrows(BpfLoadException.class, object::load);
            assertEquals("null_pointer", refused.program());
            assertEquals(Cause.NULL_POINTER, refused.reason());
            assertEquals(Errno.EACCES, refused.errno());
            assertTrue(refused.verifierLog().lines().count() > 5, refused.verifierLog());
            assertTrue(text(refused).contains("*value += 1"), text(refused));
            assertFalse(text(refused).contains("\n"), text(refused));
        }
    }

    @Test
    void aFileThatIsNoObjectIsRefusedInOneLine(@TempDir Path directory) throws Exception {
        Path junk = directory.resolve("junk.o");
        Files.writeString(junk, "not an ELF file");
        BpfException refused = assertThrows(BpfException.class, () -> BpfObject.open(junk));
        assertTrue(text(refused).contains("junk.o"), text(refused));
        assertThrows(BpfException.class, () -> BpfObject.open(directory.resolve("missing.o")));
    }

    private static String text(Throwable thrown) {
        return String.valueOf(thrown.getMessage());
    }
}
