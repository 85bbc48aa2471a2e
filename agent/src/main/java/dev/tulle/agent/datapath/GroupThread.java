package dev.tulle.agent.datapath;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A thread of this process that lives in a threaded control group, so that the programs see its sockets as another
 * workload's. For self-tests; one task at a time.
 */
final class GroupThread implements AutoCloseable {
    private static final int TASK_SECONDS = 3;

    private final ExecutorService executor;

    private GroupThread(ExecutorService executor) {
        this.executor = executor;
    }

    /**
     * Makes the group, as a threaded one, and a thread in it.
     *
     * @throws IOException when the kernel refuses either
     */
    static GroupThread in(Path group) throws IOException {
        makeThreaded(group);
        GroupThread thread = new GroupThread(Executors.newSingleThreadExecutor(Thread.ofPlatform()
                .name("self-test-" + group.getFileName())
                .daemon()
                .factory()));
        try {
            // 0 stands for the thread that writes it.
            thread.call(() -> Files.writeString(group.resolve("cgroup.threads"), "0", StandardOpenOption.WRITE));
            return thread;
        } catch (IOException e) {
            thread.close();
            throw e;
        }
    }

    static void makeThreaded(Path group) throws IOException {
        Files.createDirectories(group);
        Files.writeString(group.resolve("cgroup.type"), "threaded", StandardOpenOption.WRITE);
    }

    /** Runs a task on the thread. */
    <T> T call(Callable<T> task) throws IOException {
        try {
            return executor.submit(task).get(TASK_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } catch (TimeoutException e) {
            throw new IOException("no end within " + TASK_SECONDS + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** Ends the thread, so that its group can be removed. */
    @Override
    public void close() {
        executor.shutdownNow();
        try {
            if (!executor.awaitTermination(TASK_SECONDS, TimeUnit.SECONDS)) {
                System.getLogger(GroupThread.class.getName())
                        .log(System.Logger.Level.WARNING, "a thread of the self-test does not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
