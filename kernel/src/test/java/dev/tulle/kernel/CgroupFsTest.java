package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.kernel.CgroupWatcher.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Goal: the tree is found on unified and hybrid hosts, processes move, emptying is noticed. Method: real cgroups. */
@Timeout(60)
class CgroupFsTest {
    @Test
    void findsTheTreeOnEveryKindOfHost() throws Exception {
        String v1 = "30 24 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory";
        String hybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        String unified = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate";
        String bound = "50 23 0:26 /some/where /opt/a\\040b rw - cgroup2 cgroup2 rw";
        assertEquals(Path.of("/sys/fs/cgroup/unified"), CgroupFs.choose(MountTable.parse(List.of(v1, hybrid))));
        assertEquals(Path.of("/sys/fs/cgroup"), CgroupFs.choose(MountTable.parse(List.of(bound, unified))));
        assertEquals(Path.of("/opt/a b"), CgroupFs.choose(MountTable.parse(List.of(bound))));
        assertThrows(IOException.class, () -> CgroupFs.choose(MountTable.parse(List.of(v1, "", "junk - "))));
        assertTrue(Files.exists(CgroupFs.find().root().resolve("cgroup.procs")));
    }

    @Test
    void processesMoveAndEmptyingIsReported() throws Exception {
        try (TestTree tree = new TestTree("cgroups");
                CgroupWatcher watcher = CgroupWatcher.start("test-cgroups")) {
            CgroupFs cgroups = tree.cgroups;
            BlockingQueue<State> states = new LinkedBlockingQueue<>();
            Path child = cgroups.create(cgroups.root().relativize(tree.cgroup) + "/child");
            assertEquals(child, cgroups.create(cgroups.root().relativize(child).toString()));
            try (CgroupWatcher.Watch watch = watcher.watch(tree.cgroup, states::add)) {
                assertEquals(State.EMPTY, states.poll());
                assertThrows(IllegalStateException.class, () -> watcher.watch(tree.cgroup, states::add));
                Process process = new ProcessBuilder("sleep", "60").start();
                cgroups.move(process.pid(), child);
                assertEquals(State.POPULATED, states.poll(10, TimeUnit.SECONDS));
                assertEquals(State.POPULATED, watch.state());
                assertTrue(cgroups.populated(tree.cgroup));
                assertEquals(List.of(process.pid()), cgroups.processes(child));
                assertEquals(List.of(), cgroups.processes(tree.cgroup));
                assertEquals(child, cgroups.of(process.pid()));
                assertThrows(IOException.class, () -> cgroups.remove(tree.cgroup));
                process.destroy();
                assertEquals(State.EMPTY, states.poll(10, TimeUnit.SECONDS));
                assertFalse(cgroups.populated(tree.cgroup));
                assertEquals(0, states.size(), "no state twice in a row");
            }
            BlockingQueue<State> childStates = new LinkedBlockingQueue<>();
            try (CgroupWatcher.Watch watch = watcher.watch(child, childStates::add)) {
                assertEquals(State.EMPTY, childStates.poll());
                assertTrue(cgroups.remove(child));
                assertEquals(State.REMOVED, childStates.poll(10, TimeUnit.SECONDS));
                assertEquals(State.REMOVED, watch.state());
            }
            assertFalse(cgroups.remove(child));
            assertFalse(cgroups.populated(child));
            assertEquals(0, watcher.failures());
        }
    }

    @Test
    void killingEmptiesTheTree() throws Exception {
        try (TestTree tree = new TestTree("kill")) {
            Path child = tree.cgroups.create(tree.cgroups.root().relativize(tree.cgroup) + "/child");
            Process process = new ProcessBuilder("sleep", "60").start();
            tree.cgroups.move(process.pid(), child);
            tree.cgroups.kill(tree.cgroup);
            assertEquals(128 + 9, process.waitFor());
            assertFalse(tree.cgroups.populated(tree.cgroup));
            assertThrows(IllegalArgumentException.class, () -> tree.cgroups.kill(tree.cgroups.root()));
        }
    }

    @Test
    void nothingOutsideTheTreeIsTouched() throws Exception {
        CgroupFs cgroups = CgroupFs.find();
        assertThrows(IllegalArgumentException.class, () -> cgroups.create("../elsewhere"));
        assertThrows(IllegalArgumentException.class, () -> cgroups.remove(Path.of("/tmp")));
        IOException gone = assertThrows(IOException.class, () -> cgroups.move(1L << 40, cgroups.root()));
        assertTrue(String.valueOf(gone.getMessage()).contains("cannot move process"), gone.toString());
    }
}
