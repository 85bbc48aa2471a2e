package dev.tulle.cli.role;

import dev.tulle.agent.host.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Starts proxies as instances of a systemd template unit: systemd takes every privilege away, before the first
 * instruction of the proxy, and this process needs none to change users. An instance waits until it is in the proxy's
 * control group, where the kernel knows its sockets, and only then becomes the JVM ({@code scripts/lib/unit.sh proxy}).
 *
 * @param template the unit's name before the {@code @}
 * @param cgroup the proxy's control group
 * @param runDirectory where the instance finds its command
 */
record ProxyUnit(String template, Path cgroup, Path runDirectory) {
    /** Holds the command of an instance, an argument a line, while that starts. */
    private static final String COMMAND = "proxy.command-";

    private static final AtomicLong INSTANCES = new AtomicLong();

    /**
     * Starts one instance.
     *
     * @param command the JVM and its arguments
     * @throws IOException when systemd does not start it, in its words
     */
    ProxyProcess start(List<String> command) throws IOException {
        String instance = ProcessHandle.current().pid() + "-" + INSTANCES.incrementAndGet();
        String unit = template + "@" + instance + ".service";
        for (String argument : command) {
            if (argument.indexOf('\n') >= 0) {
                throw new IOException("an argument of the proxy has a line end: " + argument);
            }
        }
        Files.createDirectories(cgroup);
        Path file = runDirectory.resolve(COMMAND + instance);
        Files.writeString(file, String.join("\n", command) + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        try {
            systemctl("start", unit);
            long pid = Long.parseLong(systemctl("show", "--property=MainPID", "--value", unit));
            ProcessHandle process = ProcessHandle.of(pid)
                    .orElseThrow(() -> new IOException(unit + " ended at once; journalctl -u " + unit + " says why"));
            Files.writeString(cgroup.resolve("cgroup.procs"), Long.toString(pid), StandardOpenOption.WRITE);
            awaitCommand(unit, process);
            return new Instance(unit, process);
        } finally {
            Files.deleteIfExists(file);
        }
    }

    /** It has read its command when it has become another program. */
    private static void awaitCommand(String unit, ProcessHandle process) throws IOException {
        Path shown = Path.of("/proc", Long.toString(process.pid()), "cmdline");
        for (int i = 0; i < 500; i++) {
            if (!process.isAlive()) {
                break;
            }
            if (!Files.readString(shown).contains("unit.sh")) {
                return;
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while " + unit + " started", e);
            }
        }
        throw new IOException(unit + " did not become the proxy; journalctl -u " + unit + " says why");
    }

    private static String systemctl(String... words) throws IOException {
        String[] command = new String[words.length + 1];
        command[0] = "systemctl";
        System.arraycopy(words, 0, command, 1, words.length);
        Shell.Outcome outcome = Shell.run(command);
        if (!outcome.ok()) {
            throw new IOException(outcome.trouble());
        }
        return outcome.output().strip();
    }

    /**
     * An instance: a process that is systemd's child, not ours.
     *
     * @param unit its whole name
     * @param process its main process
     */
    private record Instance(String unit, ProcessHandle process) implements ProxyProcess {
        @Override
        public long pid() {
            return process.pid();
        }

        @Override
        public boolean isAlive() {
            return process.isAlive();
        }

        @Override
        public String end() {
            return "ended (journalctl -u " + unit + ")";
        }

        @Override
        public void kill() {
            process.destroyForcibly();
        }

        @Override
        public void whenEnded(Runnable then) {
            var _ = process.onExit().thenRun(then);
        }
    }
}
