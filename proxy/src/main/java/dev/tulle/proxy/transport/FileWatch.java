package dev.tulle.proxy.transport;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Looks at the files of what it follows, on one thread of its own. Thread-safe. */
public final class FileWatch implements AutoCloseable {
    /** How often; a change is in force after two looks. */
    public static final Duration EVERY = Duration.ofMillis(250);

    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("certificates").daemon(true).factory());
    private final List<Followed<?>> all = new ArrayList<>();

    /** Starts the thread. */
    public FileWatch(Duration every) {
        // How a look ends is the followed one's to tell: it catches all.
        var _ = thread.scheduleWithFixedDelay(
                () -> List.copyOf(all).forEach(Followed::look), every.toNanos(), every.toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * Follows files from now on.
     *
     * @param making makes what is wanted of them
     * @param retired takes what is not in force any more; somebody may still be using it
     */
    public <T> Followed<T> follow(List<Path> files, Followed.Making<T> making, Consumer<T> retired) {
        Followed<T> followed = new Followed<>(files, making, retired);
        thread.execute(() -> {
            all.add(followed);
            followed.look();
        });
        return followed;
    }

    /** Nobody asks for it any more. */
    public void forget(Followed<?> followed) {
        thread.execute(() -> {
            all.remove(followed);
            followed.end();
        });
    }

    /** Ends the thread, and everything that is followed. */
    @Override
    public void close() {
        thread.execute(() -> {
            all.forEach(Followed::end);
            all.clear();
        });
        thread.shutdown();
    }
}
