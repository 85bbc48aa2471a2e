package dev.tulle.common;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * One thread that owns some state, with a bounded mailbox of tasks: what runs here needs no lock. A task that throws an
 * exception is logged and the next one runs; an error (no memory, no stack, no class) ends the process, which its
 * supervisor starts again. Whoever waits for a task gets an answer. Thread-safe; the thread is a daemon.
 */
public final class OwnerThread implements Executor, AutoCloseable {
    /** Tasks waiting at once, unless told otherwise. */
    public static final int DEFAULT_CAPACITY = 1 << 16;

    private static final System.Logger LOG = System.getLogger(OwnerThread.class.getName());

    /** As a shell reports the end by SIGABRT. */
    private static final int ABORTED = 134;

    /** How long a task that runs while the thread is closed has to answer. */
    private static final Duration CLOSING = Duration.ofSeconds(1);

    private final String name;
    private final int capacity;
    private final Consumer<Error> fatal;
    private final AtomicLong callNumbers = new AtomicLong();
    private final Map<Long, CompletableFuture<?>> calls = new ConcurrentHashMap<>();
    private final AtomicInteger waiting = new AtomicInteger();
    private final Thread thread;
    private final ScheduledThreadPoolExecutor executor;

    /** Starts the thread with the default capacity. */
    public OwnerThread(String name) {
        this(name, DEFAULT_CAPACITY);
    }

    /**
     * Starts the thread.
     *
     * @param name the thread's name
     * @param capacity tasks that may wait at once; delayed ones are not counted
     */
    public OwnerThread(String name, int capacity) {
        this(name, capacity, OwnerThread::end);
    }

    OwnerThread(String name, int capacity, Consumer<Error> fatal) {
        this.fatal = fatal;
        this.name = name;
        this.capacity = capacity;
        Thread[] made = new Thread[1];
        this.executor = new ScheduledThreadPoolExecutor(1, task -> {
            Thread owner = new Thread(task, name);
            owner.setDaemon(true);
            made[0] = owner;
            return owner;
        });
        executor.setRemoveOnCancelPolicy(true);
        executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        executor.prestartAllCoreThreads();
        this.thread = made[0];
    }

    /**
     * Runs the task after those that wait already.
     *
     * @throws RejectedExecutionException when the mailbox is full or closed
     */
    @Override
    public void execute(Runnable task) {
        if (waiting.incrementAndGet() > capacity) {
            waiting.decrementAndGet();
            throw new RejectedExecutionException(name + ": " + capacity + " tasks are waiting already");
        }
        try {
            executor.execute(() -> {
                waiting.decrementAndGet();
                run(task);
            });
        } catch (RejectedExecutionException e) {
            waiting.decrementAndGet();
            throw e;
        }
    }

    /**
     * Asks for something that the thread owns: runs the task there and waits for its result, or runs it at once when called
     * on the thread itself. What the task throws is thrown here.
     *
     * @throws RejectedExecutionException when the mailbox is full or closed
     */
    public <T> T call(Supplier<T> task) {
        if (isCurrent()) {
            return task.get();
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        execute(() -> {
            try {
                result.complete(task.get());
            } catch (RuntimeException e) {
                result.completeExceptionally(e);
            } catch (Error e) {
                result.completeExceptionally(e);
                throw e;
            }
        });
        // A task that was still waiting when the thread was closed never runs: nobody may wait for it for ever.
        long number = callNumbers.incrementAndGet();
        calls.put(number, result);
        if (executor.isShutdown()) {
            refuse(result);
        }
        try {
            return result.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw e;
        } finally {
            calls.remove(number);
        }
    }

    /** Runs the task unless the mailbox is closed or full, and says whether it will run. */
    public boolean offer(Runnable task) {
        try {
            execute(task);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        }
    }

    /**
     * Runs the task after the delay, unless cancelled.
     *
     * @throws RejectedExecutionException when the thread is closed
     */
    public Delayed schedule(Duration delay, Runnable task) {
        Future<?> future = executor.schedule(() -> run(task), delay.toNanos(), TimeUnit.NANOSECONDS);
        return () -> future.cancel(false);
    }

    /** Runs the task after the delay unless the mailbox is closed by then, and says whether it is open now. */
    public boolean offerLater(Duration delay, Runnable task) {
        try {
            schedule(delay, task);
            return true;
        } catch (RejectedExecutionException e) {
            return false;
        }
    }

    /** A delayed task. */
    @FunctionalInterface
    public interface Delayed {
        /** Takes the task back if it has not begun. */
        void cancel();
    }

    /** True when called on this thread. */
    public boolean isCurrent() {
        return Thread.currentThread() == thread;
    }

    /** Fails when called on another thread: a programming error. */
    public void check() {
        if (!isCurrent()) {
            throw new IllegalStateException(
                    "runs on thread " + Thread.currentThread().getName() + ", expected " + name);
        }
    }

    private void run(Runnable task) {
        try {
            task.run();
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, name + ": task failed", e);
        } catch (Error e) {
            // What the thread owns may be half changed: nothing must be built on it.
            LOG.log(System.Logger.Level.ERROR, name + ": the process ends", e);
            fatal.accept(e);
        }
    }

    private void refuse(CompletableFuture<?> call) {
        call.completeExceptionally(new RejectedExecutionException(name + ": closed"));
    }

    /** Ends the process as a signal would, so that its supervisor starts it again: for errors that nothing can go on from. */
    public static void end(Error cause) {
        System.err.println("ended by " + cause);
        Runtime.getRuntime().halt(ABORTED);
    }

    /** Runs what waits already, drops what is delayed, accepts nothing more; does not wait. */
    @Override
    public void close() {
        executor.shutdown();
        if (!calls.isEmpty()) {
            Thread.ofVirtual().name(name + "-closing").start(this::refuseWaiting);
        }
    }

    /** The task that runs now may still answer. */
    private void refuseWaiting() {
        try {
            if (!executor.awaitTermination(CLOSING.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.log(System.Logger.Level.WARNING, name + ": its last task goes on");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        calls.values().forEach(this::refuse);
    }
}
