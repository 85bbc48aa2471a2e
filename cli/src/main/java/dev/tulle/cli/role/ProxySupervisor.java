package dev.tulle.cli.role;

import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.client.RunEvents;
import dev.tulle.common.PrivateFiles;
import dev.tulle.proxy.handover.Predecessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the node proxy running: adopts the one that a former process of this role left behind, starts one otherwise,
 * starts it again, with growing pauses, when it dies, and lets a new one take over from it on request. Safe for any
 * thread; the watching is done on a virtual thread of its own.
 */
public final class ProxySupervisor implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ProxySupervisor.class.getName());

    /**
     * The pauses before a restart; the last one is used from then on. Living {@link #STEADY} starts over, and so does a
     * proxy that came to serve: connections wait for the next one meanwhile.
     */
    private static final List<Duration> PAUSES = List.of(
            Duration.ofMillis(50),
            Duration.ofMillis(200),
            Duration.ofMillis(500),
            Duration.ofSeconds(1),
            Duration.ofSeconds(5));

    private static final Duration STEADY = Duration.ofSeconds(30);

    /** How often an adopted proxy, which is no child of this process, is looked at. */
    private static final Duration LOOK = Duration.ofMillis(100);

    /** How long a new proxy may take until it serves in the place of the one before it. */
    private static final Duration TAKE_OVER = Duration.ofSeconds(60);

    /** The node proxy, and the name of its folder in the run directory. */
    static final String NODE = "proxy";

    /** The gateway, and the name of its folder. */
    static final String GATEWAY = "gateway";

    /** Before the pid in the pid files of processes that another one has replaced and that still have connections. */
    private static final Map<String, String> DRAINING = Map.of(NODE, "draining-", GATEWAY, "gateway-draining-");

    /** The end of the name of the file that says from which build the running process was started. */
    private static final String BUILD = ".build";

    /** Starts a proxy. */
    @FunctionalInterface
    interface Launch {
        /**
         * Starts one that has not listened yet.
         *
         * @throws IOException when it cannot be started now
         */
        ProxyProcess start() throws IOException;
    }

    private final String role;
    private final Launch launch;
    private final Path runDirectory;
    private final String build;
    private final Duration drain;
    private final RunEvents events;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final ReentrantLock upgrading = new ReentrantLock();
    private final Thread watcher;
    private final Map<Long, ProxyProcess> started = new ConcurrentHashMap<>();
    private boolean closing;
    private boolean left;
    private boolean served;
    private int starts;
    private long current;

    private ProxySupervisor(
            String role, Launch launch, Path runDirectory, String build, Duration drain, RunEvents events) {
        this.role = role;
        this.launch = launch;
        this.runDirectory = runDirectory;
        this.build = build;
        this.drain = drain;
        this.events = events;
        this.watcher = Thread.ofVirtual().name(role + "-supervisor").unstarted(this::watch);
    }

    /**
     * Adopts or starts the proxy. One of another build is adopted and then replaced without an interruption.
     *
     * @param role {@link #NODE} or {@link #GATEWAY}
     * @param build names the distribution that this process runs from
     * @param drain how long {@link #close} lets connections finish before the process is killed
     */
    static ProxySupervisor start(
            String role, Launch launch, Path runDirectory, String build, Duration drain, RunEvents events) {
        ProxySupervisor supervisor = new ProxySupervisor(role, launch, runDirectory, build, drain, events);
        OptionalLong adopted = PidFile.living(runDirectory, role);
        if (adopted.isPresent()) {
            supervisor.current = adopted.getAsLong();
            events.add(role, "adopted the running process " + adopted.getAsLong());
            if (!supervisor.isOurBuild()) {
                Thread.ofVirtual().name(role + "-upgrade").start(supervisor::replaceOther);
            }
        }
        supervisor.watcher.start();
        return supervisor;
    }

    private boolean isOurBuild() {
        try {
            return Files.readString(runDirectory.resolve(role + BUILD)).equals(build);
        } catch (IOException e) {
            return false;
        }
    }

    private void replaceOther() {
        try {
            upgrade();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the proxy of another build goes on: " + e.getMessage());
            events.add(role, "the process of another build goes on: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
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
        try {
            while (!isClosing()) {
                long begun = System.nanoTime();
                String end;
                try {
                    end = watchOne();
                } catch (IOException e) {
                    end = "cannot be started: " + e.getMessage();
                }
                if (isClosing()) {
                    return;
                }
                long lived = System.nanoTime() - begun;
                if (lived > STEADY.toNanos() || hasServed()) {
                    pause = 0;
                }
                Duration wait = PAUSES.get(Math.min(pause++, PAUSES.size() - 1));
                String next = "; starting again in " + wait.toMillis() + " ms";
                events.add(role, end + " after " + Duration.ofNanos(lived).toSeconds() + " s" + next);
                LOG.log(System.Logger.Level.WARNING, "the " + role + " " + end + next);
                sleep(wait);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits until the proxy of now, started if there is none, has ended without another one in its place. */
    private String watchOne() throws IOException, InterruptedException {
        lock.lock();
        try {
            if (current == 0) {
                if (closing) {
                    return "stopped";
                }
                ProxyProcess process = spawn();
                starts++;
                took(process.pid());
            }
        } finally {
            lock.unlock();
        }
        while (true) {
            long pid = current();
            served(false);
            Thread.ofVirtual().name(role + "-serves").start(() -> noteServing(pid));
            String end = awaitEnd(pid);
            lock.lock();
            try {
                if (closing || current == pid) {
                    current = 0;
                    return end;
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private long current() {
        lock.lock();
        try {
            return current;
        } finally {
            lock.unlock();
        }
    }

    private void took(long pid) throws IOException {
        current = pid;
        PidFile.write(runDirectory, role, pid);
        PrivateFiles.replace(runDirectory.resolve(role + BUILD), build);
    }

    private ProxyProcess spawn() throws IOException {
        ProxyProcess process = launch.start();
        started.put(process.pid(), process);
        process.whenEnded(this::wake);
        return process;
    }

    private void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private String awaitEnd(long pid) throws InterruptedException {
        ProxyProcess child = started.get(pid);
        lock.lock();
        try {
            while (!closing && (child == null ? isLiving(pid) : child.isAlive())) {
                // Woken by the end of a child; one that is not ours has to be looked at.
                if (!changed.await(LOOK.toMillis(), TimeUnit.MILLISECONDS) && current != pid) {
                    break;
                }
            }
        } finally {
            lock.unlock();
        }
        if (child == null || child.isAlive()) {
            return "ended";
        }
        started.remove(pid);
        return child.end();
    }

    /** Notes that a proxy serves, once it does. A proxy that does not answer is asked by nobody who holds the lock. */
    private void noteServing(long pid) {
        Path directory = runDirectory.resolve(role);
        try {
            while (!isClosing() && isLiving(pid)) {
                if (serves(directory, pid)) {
                    served(true);
                    return;
                }
                Thread.sleep(LOOK);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void served(boolean value) {
        lock.lock();
        try {
            served = value;
        } finally {
            lock.unlock();
        }
    }

    private boolean hasServed() {
        lock.lock();
        try {
            return served;
        } finally {
            lock.unlock();
        }
    }

    private boolean isLiving(long pid) {
        return PidFile.living(runDirectory, role).equals(OptionalLong.of(pid));
    }

    /**
     * Starts a new proxy, which takes the listening sockets of the running one; that one drains and ends by itself.
     *
     * @return the new process
     * @throws IOException when there is none to take over from, or the new one does not come to serve; the running one
     *     then goes on
     */
    long upgrade() throws IOException, InterruptedException {
        upgrading.lock();
        try {
            long before = current();
            Path directory = runDirectory.resolve(role);
            if (before == 0) {
                throw new IOException("no proxy runs that another one could take over from");
            }
            if (!serves(directory, before)) {
                throw new IOException("the proxy " + before + " does not say that it serves, so no other can take over"
                        + " from it: it is starting, draining, stopped or overloaded");
            }
            ProxyProcess fresh = spawn();
            long end = System.nanoTime() + TAKE_OVER.toNanos();
            while (!serves(directory, fresh.pid())) {
                if (!fresh.isAlive()) {
                    started.remove(fresh.pid());
                    throw new IOException("the new proxy " + fresh.end());
                }
                if (System.nanoTime() > end || isClosing()) {
                    fresh.kill();
                    throw new IOException("the new proxy did not serve within " + TAKE_OVER.toSeconds() + " s");
                }
                Thread.sleep(10);
            }
            lock.lock();
            try {
                if (PidFile.living(runDirectory, role).isPresent()) {
                    PidFile.write(runDirectory, DRAINING.get(role) + before, before);
                }
                took(fresh.pid());
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            forgetEnded(runDirectory, role);
            events.add(role, "process " + fresh.pid() + " took over from " + before + ", which drains");
            return fresh.pid();
        } finally {
            upgrading.unlock();
        }
    }

    private static boolean serves(Path directory, long pid) {
        return Predecessor.stateOf(directory, pid).filter("serving"::equals).isPresent();
    }

    /** Sleeps unless or until the supervisor closes. */
    private void sleep(Duration time) throws InterruptedException {
        lock.lock();
        try {
            long left = time.toNanos();
            while (!closing && left > 0) {
                left = changed.awaitNanos(left);
            }
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

    /** Ends the watching; the proxy goes on, for the next process of this role to adopt. */
    void leave() {
        end(true);
    }

    private void end(boolean leaves) {
        lock.lock();
        try {
            closing = true;
            left |= leaves;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Stops the proxy, unless it was left: asks it to drain, waits, kills it when it does not end. Idempotent. */
    @Override
    public void close() {
        end(false);
        if (!left) {
            stop(runDirectory, role, drain);
            // Whose pid file somebody has removed, with the run directory perhaps.
            started.values().forEach(ProxyProcess::kill);
        }
    }

    /** The names of all pid files of a role: of the process that serves, and of those that drain. */
    private static List<String> roles(Path runDirectory, String of) throws IOException {
        List<String> roles = new ArrayList<>(List.of(of));
        if (Files.isDirectory(runDirectory)) {
            try (Stream<Path> files = Files.list(runDirectory)) {
                files.map(file -> String.valueOf(file.getFileName()))
                        .filter(name -> name.startsWith(String.valueOf(DRAINING.get(of))) && name.endsWith(".pid"))
                        .forEach(name -> roles.add(name.substring(0, name.length() - ".pid".length())));
            }
        }
        return roles;
    }

    private static void forgetEnded(Path runDirectory, String of) throws IOException {
        for (String role : roles(runDirectory, of)) {
            if (!role.equals(of) && PidFile.living(runDirectory, role).isEmpty()) {
                PidFile.remove(runDirectory, role);
            }
        }
    }

    /**
     * Stops the proxies of a run directory, whoever started them.
     *
     * @param drain how long connections may take to finish
     */
    static void stop(Path runDirectory, Duration drain) {
        stop(runDirectory, GATEWAY, drain);
        stop(runDirectory, NODE, drain);
    }

    /** The same for one role. */
    static void stop(Path runDirectory, String of, Duration drain) {
        try {
            List<String> roles = roles(runDirectory, of);
            for (String role : roles) {
                @Nullable ProcessHandle process = process(runDirectory, role);
                if (process != null) {
                    process.destroy();
                }
            }
            long end = System.nanoTime() + drain.toNanos();
            for (String role : roles) {
                while (PidFile.living(runDirectory, role).isPresent()) {
                    @Nullable ProcessHandle process = process(runDirectory, role);
                    if (System.nanoTime() > end && process != null) {
                        LOG.log(System.Logger.Level.WARNING, "the " + of + " did not drain in " + drain + ": killed");
                        process.destroyForcibly();
                    }
                    Thread.sleep(Duration.ofMillis(10));
                }
                PidFile.remove(runDirectory, role);
            }
            Files.deleteIfExists(runDirectory.resolve(of + BUILD));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "cannot forget the proxy's process: " + e.getMessage());
        }
    }

    private static @Nullable ProcessHandle process(Path runDirectory, String role) {
        OptionalLong pid = PidFile.living(runDirectory, role);
        return pid.isEmpty() ? null : ProcessHandle.of(pid.getAsLong()).orElse(null);
    }
}
