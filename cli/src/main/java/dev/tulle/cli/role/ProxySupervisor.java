package dev.tulle.cli.role;

import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.client.RunEvents;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the node proxy running: adopts the one that a former process of this role left behind, starts one otherwise,
 * and starts it again, with growing pauses, when it dies. Safe for any thread; the work is done on a virtual thread of
 * its own.
 */
public final class ProxySupervisor implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ProxySupervisor.class.getName());

    /** The pauses before a restart; the last one is used from then on. Living {@link #STEADY} starts over. */
    private static final List<Duration> PAUSES = List.of(
            Duration.ofMillis(50),
            Duration.ofMillis(200),
            Duration.ofMillis(500),
            Duration.ofSeconds(1),
            Duration.ofSeconds(5));

    private static final Duration STEADY = Duration.ofSeconds(30);

    /** How often an adopted proxy, which is no child of this process, is looked at. */
    private static final Duration LOOK = Duration.ofMillis(100);

    private static final String ROLE = "proxy";

    /** Gives the command that becomes the proxy. */
    @FunctionalInterface
    interface Launch {
        /**
         * The command, its last process being the proxy itself under the first one's pid.
         *
         * @throws IOException when it cannot be put together now
         */
        List<String> command() throws IOException;
    }

    private final Launch launch;
    private final Path runDirectory;
    private final Duration drain;
    private final RunEvents events;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Thread watcher;
    private boolean closing;
    private int starts;

    private ProxySupervisor(Launch launch, Path runDirectory, Duration drain, RunEvents events) {
        this.launch = launch;
        this.runDirectory = runDirectory;
        this.drain = drain;
        this.events = events;
        this.watcher = Thread.ofVirtual().name("proxy-supervisor").unstarted(this::watch);
    }

    /**
     * Adopts or starts the proxy.
     *
     * @param drain how long {@link #close} lets connections finish before the process is killed
     */
    static ProxySupervisor start(Launch launch, Path runDirectory, Duration drain, RunEvents events) {
        ProxySupervisor supervisor = new ProxySupervisor(launch, runDirectory, drain, events);
        supervisor.watcher.start();
        return supervisor;
    }

    /** How often this process started the proxy again after a first time. */
    public int restarts() {
        lock.lock();
        try {
            return Math.max(0, starts - 1);
        } finally {
            lock.unlock();
        }
    }

    private void watch() {
        int pause = 0;
        OptionalLong adopted = PidFile.living(runDirectory, ROLE);
        if (adopted.isPresent()) {
            events.add(ROLE, "adopted the running process " + adopted.getAsLong());
        }
        while (!isClosing()) {
            long begun = System.nanoTime();
            String end;
            try {
                end = adopted.isPresent() ? awaitAdopted(adopted.getAsLong()) : runOnce();
            } catch (IOException e) {
                end = "cannot be started: " + e.getMessage();
            } catch (InterruptedException e) {
                return;
            }
            adopted = OptionalLong.empty();
            if (isClosing()) {
                return;
            }
            long lived = System.nanoTime() - begun;
            if (lived > STEADY.toNanos()) {
                pause = 0;
            }
            Duration wait = PAUSES.get(Math.min(pause++, PAUSES.size() - 1));
            events.add(
                    ROLE,
                    end + " after " + Duration.ofNanos(lived).toSeconds() + " s; starting again in " + wait.toMillis()
                            + " ms");
            LOG.log(System.Logger.Level.WARNING, "the proxy " + end + "; starting again in " + wait.toMillis() + " ms");
            if (!sleep(wait)) {
                return;
            }
        }
    }

    private String runOnce() throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(launch.command())
                .directory(new File("/"))
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        // Nothing of the environment of root's session is the proxy's business.
        Map<String, String> environment = builder.environment();
        environment.keySet().retainAll(List.of("PATH", "LANG", "TZ"));
        Process process;
        lock.lock();
        try {
            if (closing) {
                return "stopped";
            }
            process = builder.start();
            PidFile.write(runDirectory, ROLE, process.pid());
            starts++;
        } finally {
            lock.unlock();
        }
        int status = process.waitFor();
        return status > 128 ? "was killed by signal " + (status - 128) : "ended with status " + status;
    }

    private String awaitAdopted(long pid) throws InterruptedException {
        while (PidFile.living(runDirectory, ROLE).equals(OptionalLong.of(pid))) {
            Thread.sleep(LOOK);
        }
        return "ended";
    }

    /** Sleeps unless or until the supervisor closes; false when it does. */
    private boolean sleep(Duration time) {
        lock.lock();
        try {
            long left = time.toNanos();
            while (!closing && left > 0) {
                left = changed.awaitNanos(left);
            }
            return !closing;
        } catch (InterruptedException e) {
            return false;
        } finally {
            lock.unlock();
        }
    }

    private boolean isClosing() {
        lock.lock();
        try {
            return closing;
        } finally {
            lock.unlock();
        }
    }

    /** Stops the proxy: asks it to drain, waits, kills it when it does not end. Idempotent. */
    @Override
    public void close() {
        lock.lock();
        try {
            closing = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        stop(runDirectory, drain);
    }

    /**
     * Stops the proxy of a run directory, whoever started it.
     *
     * @param drain how long connections may take to finish
     */
    static void stop(Path runDirectory, Duration drain) {
        try {
            @Nullable
            ProcessHandle process = PidFile.living(runDirectory, ROLE).isPresent()
                    ? ProcessHandle.of(PidFile.living(runDirectory, ROLE).getAsLong())
                            .orElse(null)
                    : null;
            if (process != null) {
                process.destroy();
                long end = System.nanoTime() + drain.toNanos();
                while (PidFile.living(runDirectory, ROLE).isPresent()) {
                    if (System.nanoTime() > end) {
                        LOG.log(System.Logger.Level.WARNING, "the proxy did not drain in " + drain + ": killed");
                        process.destroyForcibly();
                        end = Long.MAX_VALUE;
                    }
                    Thread.sleep(Duration.ofMillis(10));
                }
            }
            PidFile.remove(runDirectory, ROLE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "cannot forget the proxy's process: " + e.getMessage());
        }
    }
}
