package dev.tulle.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class OwnerThreadTest {
    @Test
    void tasksRunInOrderOnTheOneThreadAndOutliveAFailure() throws Exception {
        try (OwnerThread owner = new OwnerThread("owner-test")) {
            CompletableFuture<Boolean> current = new CompletableFuture<>();
            owner.execute(() -> {
                throw new IllegalStateException("a task's own failure");
            });
            owner.execute(() -> current.complete(owner.isCurrent()));
            assertTrue(current.get(5, TimeUnit.SECONDS));
            assertThrows(IllegalStateException.class, owner::check);
            assertTrue(owner.call(owner::isCurrent));
            assertTrue(owner.call(() -> owner.call(owner::isCurrent)));
            assertThrows(
                    IllegalStateException.class,
                    () -> owner.call(() -> {
                        throw new IllegalStateException("seen by the caller");
                    }));
            CompletableFuture<Boolean> delayed = new CompletableFuture<>();
            owner.schedule(Duration.ofMillis(1), () -> delayed.complete(owner.isCurrent()));
            assertTrue(delayed.get(5, TimeUnit.SECONDS));
        }
    }

    @Test
    void aFullMailboxRefuses() throws Exception {
        try (OwnerThread owner = new OwnerThread("owner-test", 2)) {
            CountDownLatch running = new CountDownLatch(1);
            CountDownLatch release = new CountDownLatch(1);
            owner.execute(() -> {
                running.countDown();
                try {
                    release.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            running.await();
            owner.execute(() -> {});
            owner.execute(() -> {});
            assertThrows(RejectedExecutionException.class, () -> owner.execute(() -> {}));
            assertFalse(owner.offer(() -> {}));
            release.countDown();
        }
    }

    @Test
    void waitingTimesDoubleUpToTheLongestAndStartAgain() {
        Backoff backoff = new Backoff(Duration.ofMillis(10), Duration.ofSeconds(15), new Random(7));
        long base = 10_000_000;
        for (int i = 0; i < 20; i++) {
            long nanos = backoff.next().toNanos();
            assertTrue(nanos >= base / 2 && nanos <= base, nanos + " of " + base);
            base = Math.min(base * 2, 15_000_000_000L);
        }
        backoff.reset();
        assertTrue(backoff.next().toMillis() <= 10);
        assertEquals(15_000_000_000L, base);
    }

    @Test
    void anErrorEndsTheProcessAndWhoeverWaitsHearsOfIt() throws Exception {
        CompletableFuture<Error> fatal = new CompletableFuture<>();
        try (OwnerThread owner = new OwnerThread("owner-test", 8, fatal::complete)) {
            LinkageError error = new LinkageError("a broken class");
            CompletionException seen = assertThrows(
                    CompletionException.class,
                    () -> owner.call(() -> {
                        throw error;
                    }));
            assertEquals(error, seen.getCause());
            assertEquals(error, fatal.get(5, TimeUnit.SECONDS));
        }
    }

    @Test
    void whoWaitsWhenTheThreadIsClosedGetsAnAnswer() throws Exception {
        OwnerThread owner = new OwnerThread("owner-test");
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        owner.execute(() -> {
            running.countDown();
            try {
                release.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        running.await();
        CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> owner.call(() -> "late"));
        TimeUnit.MILLISECONDS.sleep(50);
        owner.close();
        ExecutionException seen = assertThrows(ExecutionException.class, () -> answer.get(10, TimeUnit.SECONDS));
        assertInstanceOf(RejectedExecutionException.class, seen.getCause());
        release.countDown();
    }
}
