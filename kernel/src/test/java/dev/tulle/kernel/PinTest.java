package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Goal: what is pinned survives the object, and is used again only if it fits. Method: loads one after the other. */
class PinTest {
    private TestTree tree;

    @BeforeEach
    void make() throws Exception {
        tree = new TestTree("pins");
    }

    @AfterEach
    void remove() throws Exception {
        tree.close();
    }

    private static TypedMap<Integer, Long> settings(BpfMap map) {
        return map.typed(MapCodec.u32(), MapCodec.u64());
    }

    @Test
    void aPinnedMapIsReusedWithItsEntries() throws Exception {
        Path pin = tree.pins.resolve("settings");
        int id;
        try (BpfObject first = BpfObject.open(TestObjects.sample())) {
            LoadReport report = first.pinned("settings", pin).load();
            assertEquals(List.of(), report.reused());
            settings(first.map("settings")).put(1, 42L);
            id = first.map("settings").id();
        }
        try (BpfObject second = BpfObject.open(TestObjects.sample())) {
            LoadReport report = second.pinned("settings", pin).load();
            assertEquals(List.of("settings"), report.reused());
            assertEquals(id, second.map("settings").id());
            assertEquals(42L, settings(second.map("settings")).get(1));
        }
        try (BpfMap map = BpfMap.openPinned(pin)) {
            assertEquals("settings", map.name());
            assertEquals(42L, settings(map).get(1));
        }
        assertEquals(List.of(pin), BpfFs.list(tree.pins));
        assertTrue(BpfFs.unpin(pin));
        assertFalse(BpfFs.unpin(pin));
    }

    @Test
    void aPinnedMapThatDoesNotFitIsRefusedWithEveryDifference() {
        Path pin = tree.pins.resolve("workloads");
        try (BpfObject first = BpfObject.open(TestObjects.sample())) {
            first.maxEntries("workloads", 99).pinned("workloads", pin).load();
        }
        try (BpfObject second = BpfObject.open(TestObjects.sample())) {
            second.pinned("workloads", pin);
            IncompatibleMapException refused = assertThrows(IncompatibleMapException.class, second::load);
            assertEquals(List.of("max_entries is 99, expected 1024"), refused.differences());
            assertEquals(pin, refused.pin());
        }
        try (BpfObject third = BpfObject.open(TestObjects.sample())) {
            third.pinned("settings", pin);
            IncompatibleMapException refused = assertThrows(IncompatibleMapException.class, third::load);
            assertTrue(refused.differences().size() >= 4, refused.toString());
        }
        try (BpfMap map = BpfMap.openPinned(pin)) {
            assertEquals("struct workload", map.valueLayout().name(), "the kernel keeps the layout with the map");
        }
    }

    @Test
    void programsAndLinksOutliveTheObjectByTheirPins() throws Exception {
        Path linkPin = tree.pins.resolve("link");
        Path programPin = tree.pins.resolve("program");
        int firstId;
        try (BpfObject object = BpfObject.open(TestObjects.sample())) {
            object.load();
            BpfProgram refuse = object.program("sample_refuse4");
            firstId = refuse.info().id();
            refuse.pin(programPin);
            try (BpfLink link = refuse.attachCgroup(tree.cgroup)) {
                link.pin(linkPin);
            }
        }
        assertEquals(List.of(firstId), BpfProgram.attachedTo(tree.cgroup, AttachType.CGROUP_INET4_CONNECT, false));
        try (BpfLink link = BpfLink.openPinned(linkPin);
                BpfProgram pinned = BpfProgram.openPinned(programPin, AttachType.CGROUP_INET4_CONNECT);
                BpfObject object = BpfObject.open(TestObjects.sample())) {
            assertEquals(firstId, pinned.info().id());
            assertEquals(firstId, link.info().programId());
            assertEquals(tree.cgroups.id(tree.cgroup), link.info().target());
            assertEquals(AttachType.CGROUP_INET4_CONNECT.number(), link.info().attachType());
            object.load();
            link.update(object.program("sample_connect4"));
            assertNotEquals(firstId, link.info().programId());
            BpfException wrong = assertThrows(BpfException.class, () -> link.update(object.program("sample_skmsg")));
            assertEquals(Errno.EINVAL, wrong.errno());
            link.detach();
        }
        assertEquals(List.of(), BpfProgram.attachedTo(tree.cgroup, AttachType.CGROUP_INET4_CONNECT, false));
    }

    @Test
    void pinningOutsideTheBpfFileSystemSaysWhy() throws Exception {
        assertTrue(BpfFs.isOn(tree.pins));
        assertTrue(BpfFs.isOn(tree.pins.resolve("not/there")));
        Path directory = Files.createTempDirectory("tulle");
        try (BpfObject object = BpfObject.open(TestObjects.sample())) {
            assertFalse(BpfFs.isOn(directory));
            object.pinned("settings", directory.resolve("settings"));
            BpfException refused = assertThrows(BpfException.class, object::load);
            assertTrue(String.valueOf(refused.getMessage()).contains("bpf file system"), refused.toString());
            assertThrows(BpfException.class, () -> BpfFs.removeAll(directory));
        } finally {
            Files.delete(directory);
        }
    }

    @Test
    void mountsAndUnmounts() throws Exception {
        Path point = Files.createTempDirectory("tulle-bpffs");
        try {
            assertTrue(BpfFs.ensureMounted(point));
            assertFalse(BpfFs.ensureMounted(point));
            assertTrue(BpfFs.isOn(point));
            BpfFs.unmount(point);
            assertFalse(BpfFs.isOn(point));
        } finally {
            Files.delete(point);
        }
    }
}
