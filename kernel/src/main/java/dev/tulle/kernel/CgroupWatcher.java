package dev.tulle.kernel;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Tells when cgroups get their first process, lose their last, or vanish. One platform thread waits for all of them and
 * calls the listeners; listeners must be quick. {@link #watch} and {@link #close} from any thread.
 */
public final class CgroupWatcher implements AutoCloseable {
    /** What a cgroup is, with everything below it. */
    public enum State {
        POPULATED,
        EMPTY,
        REMOVED
    }

    private static final int EVENTS_MAX = 256;

    private final WatchService service;
    private final Thread thread;
    /** By directory; its own lock guards it and the registrations. */
    private final Map<Path, Entry> entries = new HashMap<>();

    private final AtomicLong failures = new AtomicLong();

    private CgroupWatcher(String threadName) throws IOException {
        service = FileSystems.getDefault().newWatchService();
        thread = Thread.ofPlatform().name(threadName).daemon().unstarted(this::run);
    }

    /** Starts the thread. */
    public static CgroupWatcher start(String threadName) throws IOException {
        CgroupWatcher watcher = new CgroupWatcher(threadName);
        watcher.thread.start();
        return watcher;
    }

    /** One watched cgroup; closing it ends the reports. */
    public interface Watch extends AutoCloseable {
        /** The last state that was reported. */
        State state();

        @Override
        void close();
    }

    /**
     * Watches a cgroup directory. The listener hears the present state at once, on the calling thread, then every change,
     * on the watcher's; never the same state twice in a row, never two calls at a time. A short visit (a process that
     * comes and goes between two reads) may go unreported.
     */
    public Watch watch(Path cgroup, Consumer<State> listener) throws IOException {
        Objects.requireNonNull(listener, "listener");
        Path directory = cgroup.toAbsolutePath().normalize();
        Path parent = Objects.requireNonNull(directory.getParent(), "parent");
        synchronized (entries) {
            if (entries.containsKey(directory)) {
                throw new IllegalStateException("cgroup " + cgroup + " is watched already");
            }
            // The open file keeps the kernel's inode in memory; without it a change would notify nobody. It also holds
            // back the directory's own "deleted" event, so removal is seen in the parent.
            FileChannel events = FileChannel.open(directory.resolve("cgroup.events"), StandardOpenOption.READ);
            try {
                WatchKey own = register(directory);
                WatchKey above = register(parent);
                Entry entry = new Entry(directory, own, above, events, listener);
                entries.put(directory, entry);
                entry.refresh();
                return entry;
            } catch (IOException | RuntimeException e) {
                events.close();
                throw e;
            }
        }
    }

    /** Always the same kinds of event: registering a directory again would replace those of the other watch. */
    private WatchKey register(Path directory) throws IOException {
        return directory.register(service, StandardWatchEventKinds.ENTRY_MODIFY, StandardWatchEventKinds.ENTRY_DELETE);
    }

    /** Listener calls that threw. */
    public long failures() {
        return failures.get();
    }

    private void run() {
        try {
            while (true) {
                WatchKey key = service.take();
                var _ = key.pollEvents();
                boolean _ = key.reset();
                for (Entry entry : watchedBy(key)) {
                    entry.refresh();
                }
            }
        } catch (ClosedWatchServiceException e) {
            // closed: the normal end
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private List<Entry> watchedBy(WatchKey key) {
        synchronized (entries) {
            return entries.values().stream()
                    .filter(e -> e.own.equals(key) || e.above.equals(key))
                    .toList();
        }
    }

    /** Drops an entry, and the directories that no other entry needs. */
    private void forget(Entry entry) {
        synchronized (entries) {
            entries.remove(entry.directory);
            for (WatchKey key : List.of(entry.own, entry.above)) {
                if (watchedBy(key).isEmpty()) {
                    key.cancel();
                }
            }
        }
    }

    /** Ends all watches and the thread. */
    @Override
    public void close() {
        try {
            service.close();
        } catch (IOException e) {
            failures.incrementAndGet();
        }
        List<Entry> left;
        synchronized (entries) {
            left = List.copyOf(entries.values());
        }
        left.forEach(Entry::close);
        if (Thread.currentThread() != thread) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private final class Entry implements Watch {
        private final Path directory;
        private final WatchKey own;
        private final WatchKey above;
        private final FileChannel events;
        private final Consumer<State> listener;
        private final long leakId;
        private @Nullable State last;
        private boolean closed;

        Entry(Path directory, WatchKey own, WatchKey above, FileChannel events, Consumer<State> listener) {
            this.directory = directory;
            this.own = own;
            this.above = above;
            this.events = events;
            this.listener = listener;
            this.leakId = LeakTracker.opened("descriptor", "watch of cgroup " + directory);
        }

        @Override
        public synchronized State state() {
            return last == null ? State.EMPTY : last;
        }

        synchronized void refresh() {
            if (closed) {
                return;
            }
            State now;
            try {
                ByteBuffer bytes = ByteBuffer.allocate(EVENTS_MAX);
                int length = events.read(bytes, 0);
                String text = new String(bytes.array(), 0, Math.max(0, length), StandardCharsets.US_ASCII);
                now = CgroupFs.parsePopulated(text) ? State.POPULATED : State.EMPTY;
            } catch (IOException e) {
                now = State.REMOVED; // ENODEV: the cgroup is gone
            }
            report(now);
        }

        private void report(State now) {
            if (!closed && now != last) {
                last = now;
                try {
                    listener.accept(now);
                } catch (RuntimeException e) {
                    failures.incrementAndGet(); // one bad listener must not end the reports of all
                }
            }
        }

        @Override
        public void close() {
            synchronized (this) {
                if (closed) {
                    return;
                }
                closed = true;
                LeakTracker.closed(leakId);
                try {
                    events.close();
                } catch (IOException e) {
                    failures.incrementAndGet();
                }
            }
            forget(this); // outside the entry's lock: a watch locks the entries first, then the entry
        }
    }
}
