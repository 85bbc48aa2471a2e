package dev.tulle.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A private cgroup tree and pin directory of one test class, removed on close. */
final class TestTree implements AutoCloseable {
    final CgroupFs cgroups;
    final Path cgroup;
    final Path pins;
    private final boolean mounted;

    TestTree(String name) throws IOException {
        long pid = ProcessHandle.current().pid();
        cgroups = CgroupFs.find();
        cgroup = cgroups.create("tulle-kerneltest-" + pid + "/" + name);
        mounted = BpfFs.ensureMounted(BpfFs.DEFAULT);
        pins = BpfFs.DEFAULT.resolve("tulle-kerneltest-" + pid + "-" + name);
        Files.createDirectory(pins);
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
        if (mounted && BpfFs.list(BpfFs.DEFAULT).isEmpty()) {
            BpfFs.unmount(BpfFs.DEFAULT);
        }
    }
}
