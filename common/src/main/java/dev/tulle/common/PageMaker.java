package dev.tulle.common;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Makes one page for all who ask: those who ask while it is being made wait together for the next making, so that an
 * answer is never older than its question and at most one thread works at a page. Thread-safe.
 */
final class PageMaker {
    private final String path;
    private final Page page;
    private final long patience;
    private List<Consumer<Page.Answer>> waiting = new ArrayList<>();
    private boolean making;
    private long since;

    PageMaker(String path, Page page, Duration patience) {
        this.path = path;
        this.page = page;
        this.patience = patience.toNanos();
    }

    /** The method that it answers. */
    String method() {
        return page.method();
    }

    /** Calls back with an answer, on another thread; at once when the page hangs. */
    void ask(Consumer<Page.Answer> then) {
        synchronized (this) {
            if (making && System.nanoTime() - since > patience) {
                then.accept(late());
                return;
            }
            waiting.add(then);
            if (making) {
                return;
            }
            making = true;
            since = System.nanoTime();
        }
        Thread.ofVirtual().name("page-" + path).start(this::work);
    }

    /** What those get who have waited too long. */
    Page.Answer late() {
        return Page.Answer.unavailable(path + " was not made within " + TimeUnit.NANOSECONDS.toMillis(patience)
                + " ms: the process is busy or stuck");
    }

    private void work() {
        while (true) {
            List<Consumer<Page.Answer>> told;
            synchronized (this) {
                if (waiting.isEmpty()) {
                    making = false;
                    return;
                }
                told = waiting;
                waiting = new ArrayList<>();
                since = System.nanoTime();
            }
            Page.Answer answer = make();
            told.forEach(one -> one.accept(answer));
        }
    }

    private Page.Answer make() {
        try {
            return page.make();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Page.Answer.unavailable("interrupted");
        } catch (Exception | StackOverflowError | OutOfMemoryError e) {
            return Page.Answer.unavailable(path + ": " + (e.getMessage() == null ? e : e.getMessage()));
        }
    }
}
