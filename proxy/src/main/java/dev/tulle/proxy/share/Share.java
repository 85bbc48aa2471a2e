package dev.tulle.proxy.share;

import dev.tulle.telemetry.Counter;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** What one client (a workload; an address where no workload is known) has of the proxy now. Thread-safe. */
public final class Share {
    private final String name;
    private final Shares all;
    final AtomicInteger connections = new AtomicInteger();
    final AtomicLong stalled = new AtomicLong();
    /** When the log lines of this client would be within its rate again, as {@link System#nanoTime}. */
    private final AtomicLong logged;

    Share(String name, Shares all) {
        this.name = name;
        this.all = all;
        this.logged = new AtomicLong(all.now());
    }

    /** The workload as {@code namespace/name}, or an address. */
    public String name() {
        return name;
    }

    /** Takes a place in the access log; false when the client has written too much of it lately, which is counted. */
    public boolean mayLog() {
        long now = all.now();
        long line = TimeUnit.SECONDS.toNanos(1) / all.budget().logLines();
        long burst = line * all.budget().logBurst();
        while (true) {
            long at = logged.get();
            long next = Math.max(at - now, 0) + now + line;
            if (next - now > burst) {
                over(Over.LOG_LINES);
                return false;
            }
            if (logged.compareAndSet(at, next)) {
                return true;
            }
        }
    }

    /** Counts something that was refused or taken away. */
    void over(Over what) {
        counter(what).increment();
    }

    private Counter counter(Over what) {
        return all.counted(name, what);
    }
}
