package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Goal: the mesh's own object loads through this module, whole and program by program. Method: builds and loads it. */
class DataPathTest {
    private static final Path SOURCES = Path.of("../bpf");
    private static final Path OBJECT = SOURCES.resolve("build/tulle.bpf.o");

    @BeforeAll
    static void build() throws Exception {
        Path log = Path.of("target/bpf-make.log");
        Files.createDirectories(log.toAbsolutePath().getParent());
        Process make = new ProcessBuilder("make", "-C", SOURCES.toString())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertTrue(make.waitFor(120, TimeUnit.SECONDS), "make -C bpf takes too long");
        assertEquals(0, make.exitValue(), () -> "see " + log);
    }

    @Test
    void everyProgramLoads() {
        try (BpfObject object = BpfObject.open(OBJECT)) {
            LoadReport report = object.load(Set.of());
            assertEquals(
                    List.of(),
                    report.refused().stream()
                            .map(BpfLoadException.Refusal::line)
                            .toList());
            assertEquals(object.programSpecs().size(), report.loaded().size());
            for (String name : report.loaded()) {
                ProgramInfo info = object.program(name).info();
                System.out.printf(
                        "cost: %-16s %6d instructions, %7d walked%n",
                        name, info.instructions(), info.verifiedInstructions());
                assertTrue(info.verifiedInstructions() < 500_000, info.toString());
            }
            System.out.printf(
                    "cost: load of the data path %d ms%n", report.elapsed().toMillis());
        }
    }

    @Test
    void everyProgramLoadsWithoutTheOthers() {
        List<String> names;
        try (BpfObject object = BpfObject.open(OBJECT)) {
            names = List.copyOf(object.programSpecs().keySet());
        }
        List<String> failed = new ArrayList<>();
        for (String one : names) {
            try (BpfObject object = BpfObject.open(OBJECT)) {
                names.forEach(name -> object.autoload(name, name.equals(one)));
                try {
                    assertEquals(List.of(one), object.load().loaded());
                } catch (BpfLoadException e) {
                    failed.add(e.refusal().line());
                }
            }
        }
        assertEquals(List.of(), failed);
    }

    @Test
    void everyMapHasLayoutsThatJavaCanRead() {
        try (BpfObject object = BpfObject.open(OBJECT)) {
            object.load(Set.of());
            for (MapSpec spec : object.mapSpecs().values()) {
                boolean plain = spec.type() == MapType.HASH.number()
                        || spec.type() == MapType.LRU_HASH.number()
                        || spec.type() == MapType.ARRAY.number();
                if (plain && !spec.name().contains(".")) {
                    assertFalse(spec.keyLayout().isEmpty(), spec.toString());
                    assertFalse(spec.valueLayout().isEmpty(), spec.toString());
                }
            }
            RecordLayout event = object.btf().struct("tulle_event").orElseThrow();
            assertTrue(event.size() > 0);
        }
    }

    @Test
    void aRestartTakesEveryMapAndLinkOver() throws Exception {
        try (TestTree tree = new TestTree("datapath")) {
            List<String> hooks = new ArrayList<>();
            try (BpfObject first = BpfObject.open(OBJECT)) {
                pinAll(first, tree);
                assertEquals(List.of(), first.load().reused());
                for (ProgramSpec spec : first.programSpecs().values()) {
                    if (spec.section().startsWith("cgroup/") || spec.section().equals("sockops")) {
                        try (BpfLink link = first.program(spec.name()).attachCgroup(tree.cgroup)) {
                            link.pin(tree.pins.resolve("link_" + spec.name()));
                        }
                        hooks.add(spec.name());
                    }
                }
                first.program("tulle_skb_verdict").attachSockets(first.map("tulle_sockets"));
            }
            assertTrue(hooks.size() >= 12, hooks.toString());
            try (BpfObject second = BpfObject.open(OBJECT)) {
                pinAll(second, tree);
                LoadReport report = second.load();
                assertEquals(
                        report.reused().size(),
                        second.mapSpecs().keySet().stream()
                                .filter(n -> !n.contains("."))
                                .count());
                for (String hook : hooks) {
                    try (BpfLink link = BpfLink.openPinned(tree.pins.resolve("link_" + hook))) {
                        int before = link.info().programId();
                        link.update(second.program(hook));
                        assertEquals(
                                second.program(hook).info().id(), link.info().programId());
                        assertTrue(before != link.info().programId());
                        link.detach();
                    }
                }
                int verdict = BpfProgram.attachedTo(second.map("tulle_sockets"), AttachType.SK_SKB_STREAM_VERDICT)
                        .getFirst();
                second.program("tulle_skb_verdict").attachSockets(second.map("tulle_sockets"));
                assertTrue(verdict != second.program("tulle_skb_verdict").info().id());
                assertTrue(second.program("tulle_skb_verdict").detachSockets(second.map("tulle_sockets")));
            }
        }
    }

    private static void pinAll(BpfObject object, TestTree tree) {
        for (String name : object.mapSpecs().keySet()) {
            if (!name.contains(".")) {
                object.pinned(name, tree.pins.resolve(name));
            }
        }
    }
}
