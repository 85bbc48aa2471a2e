package dev.tulle.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A private cgroup tree and pin directory of one test class, removed on close. */
final class TestTree implements AutoCloseable {
    final CgroupFs cgroups;
    final Path cgroup;
    final Path pins;
    private final Path mount;

    TestTree(String name) throws IOException {
        long pid = ProcessHandle.current().pid();
        cgroups = CgroupFs.find();
        cgroup = cgroups.create("tulle-kerneltest-" + pid + "/" + name);
        // A mount of its own: nothing is shared with whatever else uses the host's.
        mount = Files.createTempDirectory("tulle-kerneltest");
        assertTrue(BpfFs.ensureMounted(mount));
        pins = Files.createDirectory(mount.resolve(name));
    }

    /** Runs a command inside the cgroup and gives its exit status. */
    int run(String shellCommand) throws IOException, InterruptedException {
        Process process = new ProcessBuilder("sh", "-c", "read go; " + shellCommand)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        cgroups.move(process.pid(), cgroup);
        process.outputWriter().append("go\n").close();
        return process.waitFor();
    }

    @Override
    public void close() throws IOException {
        BpfFs.removeAll(pins);
        cgroups.remove(cgroup);
        Path parent = cgroup.getParent();
        if (parent != null && parent.toFile().delete()) {
            // the last class of the run removes the common parent
        }
        assertEquals(List.of(), BpfFs.list(mount));
        BpfFs.unmount(mount);
        Files.delete(mount);
    }
}
