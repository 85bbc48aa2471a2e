package dev.tulle.agent;

import dev.tulle.common.OwnerThread;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The agent's one owner thread: everything that changes leases, services or the host runs on it, one task at a time. Tasks
 * may be handed over from any thread; a task that throws is logged and ends nothing but itself.
 */
final class AgentLoop implements Executor, AutoCloseable {
    /** Tasks that wait at once; more is a defect, as every source of tasks is bounded. */
    private static final int TASKS_MAX = 65_536;

    /** How long a caller waits for its task. */
    private static final Duration CALL_TIMEOUT = Duration.ofSeconds(30);

    private static final System.Logger LOG = System.getLogger(AgentLoop.class.getName());

    private final ScheduledThreadPoolExecutor executor;

    /** Owner thread only. */
    private String failure = "";

    AgentLoop() {
        executor = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().name("tulle-agent").daemon().factory());
        executor.setRemoveOnCancelPolicy(true);
        executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        executor.setContinueExistingPeriodicTasksAfterShutdownPolicy(false);
    }

    @Override
    public void execute(Runnable task) {
        if (executor.getQueue().size() > TASKS_MAX) {
            throw new RejectedExecutionException("the agent has " + TASKS_MAX + " tasks waiting");
        }
        try {
            executor.execute(guarded(task));
        } catch (RejectedExecutionException e) {
            if (!executor.isShutdown()) {
                throw e;
            }
        }
    }

    /** Runs a task after a while. */
    void after(Duration delay, Runnable task) {
        try {
            var _ = executor.schedule(guarded(task), delay.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.log(System.Logger.Level.DEBUG, "the agent is ending", e);
        }
    }

    /** Runs a task again and again, with a pause after each run. */
    void every(Duration pause, Runnable task) {
        var _ = executor.scheduleWithFixedDelay(
                guarded(task), pause.toMillis(), pause.toMillis(), TimeUnit.MILLISECONDS);
    }

    /**
     * Runs a task and waits for its result; never called on the owner thread itself.
     *
     * @throws Exception what the task throws; an IllegalStateException when the agent is ending or does not come to it
     */
    <T> T call(Callable<T> task) throws Exception {
        Future<T> future;
        try {
            future = executor.submit(task);
        } catch (RejectedExecutionException e) {
            throw new IllegalStateException("the agent is ending", e);
        }
        try {
            return future.get(CALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        } catch (TimeoutException e) {
            throw new IllegalStateException("the agent has been busy for " + CALL_TIMEOUT.toSeconds() + " s", e);
        }
    }

    private Runnable guarded(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                failure = "a task of the agent failed: " + e;
                LOG.log(System.Logger.Level.ERROR, "a task of the agent failed", e);
            } catch (Error e) {
                // A class or a native part is missing or broken: a periodic task would just never run again.
                LOG.log(System.Logger.Level.ERROR, "the agent ends", e);
                OwnerThread.end(e);
            }
        };
    }

    /** Why a task has failed since this was asked last; empty when none has. On the owner thread. */
    String takeFailure() {
        String last = failure;
        failure = "";
        return last;
    }

    /** Lets the running task end and drops those that wait. */
    @Override
    public void close() {
        // Not interrupted: a half-done change of the host or of a file would have to be found and repaired.
        executor.shutdown();
        try {
            if (!executor.awaitTermination(CALL_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                LOG.log(System.Logger.Level.WARNING, "the agent's owner thread does not end");
                executor.shutdownNow();
            }
        } catch (InterruptedException e) {
            executor.shutdownNow();
            Thread.currentThread().interrupt();
        }
    }
}
