package dev.tulle.config;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A directory of manifests as the source of configuration: watches it, keeps the last good version of everything, and
 * writes what is applied back into it. One virtual thread owns the files and the state; every method may be called from
 * any thread, and those that change something return when the change is in force.
 */
public final class ConfigDirectory implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(ConfigDirectory.class.getName());

    /** Commands waiting for the owner thread; callers wait when it is full. */
    private static final int MAILBOX = 1024;

    /** A file that stays open for writing is looked at this often (about ten seconds), then read all the same. */
    private static final int MAX_LOOKS = 100;

    /** The longest pause between two looks at a file that is open for writing. */
    private static final long MAX_LOOK_PAUSE_NANOS = 100_000_000;

    private final ConfigDirectoryOptions options;
    private final FileSet files;
    private final DirectoryState state;
    private final WatchService watcher;
    private final BlockingQueue<Runnable> mailbox = new ArrayBlockingQueue<>(MAILBOX);
    private final List<Consumer<ConfigSnapshot>> listeners = new CopyOnWriteArrayList<>();
    /** Files to be read, by name. */
    private final Map<String, Due> due = new TreeMap<>();

    private volatile ConfigSnapshot snapshot = ConfigSnapshot.EMPTY;
    private volatile boolean closed;
    private @Nullable WatchKey watchKey;
    private @Nullable Thread owner;

    /**
     * When a file is to be read.
     *
     * @param settled true when it is then taken whatever it looks like
     * @param looks how often a writer was found at work
     */
    private record Due(long nanos, boolean settled, int looks) {}

    private ConfigDirectory(ConfigDirectoryOptions options, WatchService watcher) {
        this.options = options;
        this.watcher = watcher;
        this.files = new FileSet(options.directory(), new ManifestParser(options.limits()));
        this.state = new DirectoryState(files, new LastGood(options.lastGood(), options.limits()));
    }

    /**
     * Reads the directory and begins to watch it.
     *
     * @throws IOException when the directory can be neither made nor read
     */
    public static ConfigDirectory open(ConfigDirectoryOptions options) throws IOException {
        Files.createDirectories(options.directory());
        WatchService watcher = options.directory().getFileSystem().newWatchService();
        try {
            ConfigDirectory directory = new ConfigDirectory(options, watcher);
            directory.watch();
            directory.files.removeLeftovers();
            for (String name : directory.files.differing()) {
                directory.firstRead(name);
            }
            directory.state.restore();
            directory.snapshot = directory.state.next();
            directory.owner = Thread.ofVirtual().name("config-directory").start(directory::run);
            Thread.ofVirtual().name("config-watch").start(directory::watchLoop);
            return directory;
        } catch (IOException | RuntimeException e) {
            watcher.close();
            throw e;
        }
    }

    /** At the start only a file that is being written at this moment has to wait. */
    private void firstRead(String name) {
        switch (files.read(name, false)) {
            case HELD -> files.read(name, true);
            case OPEN ->
                due.put(name, new Due(System.nanoTime() + options.quiet().toNanos(), false, 0));
            case SAME, CHANGED -> {}
        }
    }

    /** What is in force now. */
    public ConfigSnapshot snapshot() {
        return snapshot;
    }

    /** The directory. */
    public Path directory() {
        return options.directory();
    }

    /** A resource in force. */
    public Optional<ConfigResource> get(ResourceKey key) {
        return snapshot.find(key);
    }

    /**
     * Calls the listener with the snapshot in force and then with each next one, on the owner thread: it must return
     * soon and must not call back into this object.
     *
     * @return ends the calls when closed
     */
    public AutoCloseable addListener(Consumer<ConfigSnapshot> listener) {
        call(() -> {
            listeners.add(listener);
            tell(listener);
            return true;
        });
        return () -> listeners.remove(listener);
    }

    /**
     * Brings every right resource of a text into force and writes it to the directory: where a file holds the resource
     * already, its document there is replaced, otherwise it gets a file of its own.
     *
     * @param content manifests in YAML or JSON
     * @param origin named in problems, for example the file that the user applied
     */
    public ApplyResult apply(String content, String origin) {
        return apply(List.of(new Text(origin, content)));
    }

    /**
     * A text with manifests.
     *
     * @param origin named in problems
     */
    public record Text(String origin, String content) {}

    /** As {@link #apply(String, String)}, for several texts that belong together: what one names, another may declare. */
    public ApplyResult apply(List<Text> texts) {
        return call(() -> {
            readAllDue();
            ManifestParser parser = parser();
            ApplyResult result = state.apply(texts.stream()
                    .map(text -> parser.parse(text.origin(), text.content()))
                    .toList());
            publish();
            return result;
        });
    }

    /** What would be in force if these texts were applied; the resources of the texts name their origin as their file. */
    public ConfigSnapshot preview(List<Text> texts) {
        return call(() -> {
            ManifestParser parser = parser();
            return state.preview(texts.stream()
                    .map(text -> parser.parse(text.origin(), text.content()))
                    .toList());
        });
    }

    /** What {@link #apply} would report, without applying. */
    public ApplyResult validate(String content, String origin) {
        return validate(List.of(new Text(origin, content)));
    }

    /** As {@link #validate(String, String)}, for several texts together. */
    public ApplyResult validate(List<Text> texts) {
        return call(() -> {
            ManifestParser parser = parser();
            return state.validate(texts.stream()
                    .map(text -> parser.parse(text.origin(), text.content()))
                    .toList());
        });
    }

    /** Reads what is applied now. */
    private ManifestParser parser() {
        return new ManifestParser(options.limits(), state.creation(Instant.now().truncatedTo(ChronoUnit.MILLIS)));
    }

    /**
     * Removes a resource from force and from its file.
     *
     * @return false when there is no such resource
     * @throws IOException when its file cannot be changed
     */
    public boolean delete(ResourceKey key) throws IOException {
        try {
            return call(() -> {
                readAllDue();
                boolean found = state.delete(key);
                publish();
                return found;
            });
        } catch (CompletionException e) {
            if (e.getCause() instanceof IOException io) {
                throw io;
            }
            throw e;
        }
    }

    /** Runs a task on the owner thread and waits for it. */
    private <T> T call(Callable<T> task) {
        CompletableFuture<T> done = new CompletableFuture<>();
        post(() -> {
            try {
                done.complete(task.call());
            } catch (Exception | StackOverflowError | OutOfMemoryError e) {
                done.completeExceptionally(e);
            }
        });
        if (closed) {
            done.completeExceptionally(new IllegalStateException("the configuration directory is closed"));
        }
        return done.join();
    }

    private void post(Runnable command) {
        try {
            mailbox.put(command);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for the configuration directory", e);
        }
    }

    private void run() {
        long resync = System.nanoTime() + options.resync().toNanos();
        while (!closed) {
            try {
                long wait = resync - System.nanoTime();
                for (Due next : due.values()) {
                    wait = Math.min(wait, next.nanos() - System.nanoTime());
                }
                Runnable command = mailbox.poll(Math.max(0, wait), TimeUnit.NANOSECONDS);
                if (command != null) {
                    command.run();
                }
                if (resync - System.nanoTime() <= 0) {
                    compare();
                    resync = System.nanoTime() + options.resync().toNanos();
                }
                readDue(System.nanoTime());
            } catch (InterruptedException e) {
                break;
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                LOG.log(System.Logger.Level.ERROR, options.directory() + ": a change could not be handled", e);
            }
        }
        for (Runnable command = mailbox.poll(); command != null; command = mailbox.poll()) {
            command.run();
        }
    }

    private void watch() throws IOException {
        watchKey = options.directory()
                .register(
                        watcher,
                        StandardWatchEventKinds.ENTRY_CREATE,
                        StandardWatchEventKinds.ENTRY_MODIFY,
                        StandardWatchEventKinds.ENTRY_DELETE);
    }

    /** Moves notifications to the owner; runs on its own virtual thread. */
    private void watchLoop() {
        try {
            while (!closed) {
                WatchKey key = watcher.take();
                Set<String> names = new HashSet<>();
                boolean all = false;
                for (WatchEvent<?> event : key.pollEvents()) {
                    String name = event.context() instanceof Path path ? path.toString() : "";
                    // Links that other names point through (as mounted ConfigMaps have them) mean: look at everything.
                    all |= name.isEmpty() || name.startsWith("..");
                    if (FileSet.isManifest(name)) {
                        names.add(name);
                    }
                }
                key.reset();
                boolean everything = all;
                if (everything || !names.isEmpty()) {
                    post(() -> touched(names, everything));
                }
            }
        } catch (InterruptedException | ClosedWatchServiceException e) {
            // Closed: nothing more to move.
        }
    }

    private void touched(Set<String> names, boolean everything) {
        long at = System.nanoTime() + options.quiet().toNanos();
        names.forEach(name -> due.put(name, new Due(at, false, 0)));
        if (everything) {
            compare();
        }
    }

    /** Finds changes that nobody notified, and watches again where the directory was replaced. */
    private void compare() {
        try {
            WatchKey key = watchKey;
            if (key == null || !key.isValid()) {
                watch();
            }
            long at = System.nanoTime() + options.quiet().toNanos();
            files.differing().forEach(name -> due.putIfAbsent(name, new Due(at, false, 0)));
            state.directoryTrouble("");
        } catch (IOException e) {
            // The directory is gone or unreadable: everything in force stays, which is safer than to drop it all.
            state.directoryTrouble("cannot read the directory, what is in force stays: " + e);
        }
        publish();
    }

    private void readDue(long now) {
        boolean changed = false;
        for (String name : List.copyOf(due.keySet())) {
            Due entry = due.get(name);
            if (entry == null || entry.nanos() - now > 0) {
                continue;
            }
            due.remove(name);
            switch (files.read(name, entry.settled())) {
                case CHANGED -> changed = true;
                case HELD -> due.put(name, new Due(now + options.settle().toNanos(), true, 0));
                case OPEN -> {
                    int looks = entry.looks() + 1;
                    long pause = Math.min(MAX_LOOK_PAUSE_NANOS, options.quiet().toNanos() * looks);
                    due.put(name, new Due(now + pause, looks >= MAX_LOOKS, looks));
                }
                case SAME -> {}
            }
        }
        if (changed) {
            publish();
        }
    }

    /** Before the directory is written to: what others wrote, and have finished, comes first. */
    private void readAllDue() {
        for (String name : List.copyOf(due.keySet())) {
            FileSet.Outcome outcome = files.read(name, false);
            if (outcome == FileSet.Outcome.SAME || outcome == FileSet.Outcome.CHANGED) {
                due.remove(name);
            }
        }
    }

    private void publish() {
        ConfigSnapshot next = state.next();
        if (next.sameAs(snapshot)) {
            return;
        }
        snapshot = next;
        listeners.forEach(this::tell);
    }

    private void tell(Consumer<ConfigSnapshot> listener) {
        try {
            listener.accept(snapshot);
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
            LOG.log(System.Logger.Level.ERROR, "a listener of the configuration failed", e);
        }
    }

    /** Stops watching; the last snapshot stays readable. */
    @Override
    public void close() throws IOException {
        closed = true;
        watcher.close();
        Thread thread = owner;
        if (thread != null) {
            thread.interrupt();
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        List<Runnable> rest = new ArrayList<>();
        mailbox.drainTo(rest);
        rest.forEach(Runnable::run);
    }
}
