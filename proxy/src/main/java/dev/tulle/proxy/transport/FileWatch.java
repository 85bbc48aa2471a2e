package dev.tulle.proxy.transport;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Looks at the files of what it follows, on one thread of its own, which sleeps while there is nothing. Thread-safe. */
public final class FileWatch implements AutoCloseable {
    /** How often; a change is in force after two looks. */
    public static final Duration EVERY = Duration.ofMillis(250);

    /** How long what nobody follows any more can still be used: whoever decided to use it before has come to it by then. */
    private static final Duration GRACE = Duration.ofSeconds(60);

    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("certificates").daemon(true).factory());
    private final Duration every;
    /** On the thread alone. */
    private final List<Followed<?>> all = new ArrayList<>();

    private boolean looking;

    /** Follows nothing. */
    public FileWatch(Duration every) {
        this.every = every;
    }

    /**
     * Follows files from now on.
     *
     * @param making makes what is wanted of them
     * @param retired takes what is not in force any more; somebody may be about to use it
     */
    public <T> Followed<T> follow(List<Path> files, Followed.Making<T> making, Consumer<T> retired) {
        return follow(files, making, () -> {}, retired);
    }

    /**
     * The same.
     *
     * @param inForce told, on the thread, whenever something that was made is in force
     */
    public <T> Followed<T> follow(List<Path> files, Followed.Making<T> making, Runnable inForce, Consumer<T> retired) {
        Followed<T> followed = new Followed<>(files, making, inForce, retired);
        thread.execute(() -> {
            all.add(followed);
            try {
                followed.look();
            } finally {
                lookLater();
            }
        });
        return followed;
    }

    private void lookLater() {
        if (!looking && !all.isEmpty()) {
            looking = true;
            var _ = thread.schedule(this::look, every.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    private void look() {
        looking = false;
        try {
            all.forEach(Followed::look);
        } finally {
            lookLater();
        }
    }

    /** Nobody asks for it any more, but for those who are about to. */
    public void forget(Followed<?> followed) {
        if (thread.isShutdown()) {
            // A loop that was slower than the end of the proxy: all was ended.
            return;
        }
        var _ = thread.schedule(
                () -> {
                    all.remove(followed);
                    followed.end();
                },
                GRACE.toNanos(),
                TimeUnit.NANOSECONDS);
    }

    /** Ends the thread, and everything that is followed. */
    @Override
    public void close() {
        thread.execute(() -> {
            all.forEach(Followed::end);
            all.clear();
            thread.shutdownNow();
        });
    }
}
