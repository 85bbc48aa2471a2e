package dev.tulle.xds;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** A watcher that keeps what it is told, for tests to wait for. */
class Recorder<T> implements ResourceWatcher<T> {
    private static final long WAIT_SECONDS = 20;

    /** What a watcher was told. */
    sealed interface Event<T> {
        record Changed<T>(T value) implements Event<T> {}

        record Absent<T>() implements Event<T> {}

        record Trouble<T>(String reason) implements Event<T> {}
    }

    private final BlockingQueue<Event<T>> events = new LinkedBlockingQueue<>();

    @Override
    public void onChanged(T value) {
        events.add(new Event.Changed<>(value));
    }

    @Override
    public void onAbsent() {
        events.add(new Event.Absent<>());
    }

    @Override
    public void onTrouble(String reason) {
        events.add(new Event.Trouble<>(reason));
    }

    Event<T> next() throws InterruptedException {
        Event<T> event = events.poll(WAIT_SECONDS, TimeUnit.SECONDS);
        if (event == null) {
            throw new AssertionError("nothing for " + WAIT_SECONDS + " s");
        }
        return event;
    }

    /** Waits for a value that satisfies the condition, skipping everything before it. */
    T value(Predicate<T> condition) throws InterruptedException {
        while (true) {
            if (next() instanceof Event.Changed<T>(T value) && condition.test(value)) {
                return value;
            }
        }
    }

    boolean isQuiet() {
        return events.isEmpty();
    }
}
