package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Goal: what is open is known with its site, and nothing stays open in the process that is not known. */
class LeakTrackerTest {
    @Test
    void aLeakIsNamedWithTheLineThatOpenedIt() {
        List<LeakTracker.Resource> before = LeakTracker.open();
        BpfObject object = BpfObject.open(TestObjects.sample());
        object.load();
        IllegalStateException leaked =
                assertThrows(IllegalStateException.class, () -> LeakTracker.assertNoneSince(before));
        String text = String.valueOf(leaked.getMessage());
        assertTrue(text.contains("descriptor of map workloads"), text);
        assertTrue(text.contains("aLeakIsNamedWithTheLineThatOpenedIt"), text);
        object.close();
        object.close();
        LeakTracker.assertNoneSince(before);
    }

    @Test
    void descriptorsOfTheProcessAreBackWhereTheyWere() throws Exception {
        try (BpfObject warm = BpfObject.open(TestObjects.sample())) {
            warm.load();
        }
        long before = descriptors();
        for (int i = 0; i < 20; i++) {
            try (BpfObject object = BpfObject.open(TestObjects.sample());
                    RingBuffer events = start(object)) {
                assertEquals(0, events.records());
            }
            try (BpfObject object = BpfObject.open(TestObjects.compiled("refused.bpf.c", List.of()))) {
                object.programSpecs().keySet().forEach(p -> object.autoload(p, p.equals("null_pointer")));
                assertThrows(BpfLoadException.class, object::load);
            }
        }
        assertEquals(before, descriptors());
    }

    private static RingBuffer start(BpfObject object) {
        object.load();
        return RingBuffer.start(object.map("events"), "test-leaks", _ -> {});
    }

    private static long descriptors() throws Exception {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.map(LeakTrackerTest::target)
                    .filter(t -> t.startsWith("anon_inode"))
                    .count();
        }
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException e) {
            return ""; // the listing's own descriptor is gone already
        }
    }
}
