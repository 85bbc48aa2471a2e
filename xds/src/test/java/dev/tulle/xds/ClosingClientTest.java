package dev.tulle.xds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.common.OwnerThread;
import dev.tulle.model.Service;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

/**
 * Goal: a client that is closed while its thread has work ends quietly. Method: a watcher holds the thread until the
 * client has been closed with a subscription given up just before; whatever the thread then reports is a failure.
 */
class ClosingClientTest {
    /** Keeps what the owner threads log. */
    private static final class Kept extends Handler {
        private final List<String> messages = new CopyOnWriteArrayList<>();

        @Override
        public void publish(LogRecord entry) {
            if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
                messages.add(entry.getMessage() + ": " + entry.getThrown());
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    /** Holds the client's thread in its first call. */
    private static final class Holding implements ResourceWatcher<Service> {
        private final CountDownLatch held = new CountDownLatch(1);
        private final CountDownLatch release = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);

        @Override
        public void onChanged(Service value) {}

        @Override
        public void onAbsent() {}

        @Override
        public void onTrouble(String reason) {
            held.countDown();
            try {
                release.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            released.countDown();
        }
    }

    @Test
    void whatWaitsWhenAClientIsClosedIsNoFailure() throws Exception {
        Logger logger = Logger.getLogger(OwnerThread.class.getName());
        Kept kept = new Kept();
        logger.addHandler(kept);
        try {
            // Nobody serves there: the watcher hears of the trouble.
            XdsClient client = XdsClients.connect(new XdsClientOptions(Path.of("/nowhere/xds.sock"), "n1", "agent"));
            Holding holding = new Holding();
            Subscription first = client.watch(ResourceType.SERVICE, "/240.240.0.1", holding);
            assertTrue(holding.held.await(20, TimeUnit.SECONDS));
            Subscription second = client.watch(ResourceType.SERVICE, "/240.240.0.2", new Holding());
            first.close();
            second.close();
            client.close();
            holding.release.countDown();
            assertTrue(holding.released.await(20, TimeUnit.SECONDS));
            ended();
            assertEquals(List.of(), kept.messages);
        } finally {
            logger.removeHandler(kept);
        }
    }

    /** Waits for the client's thread to be gone. */
    private static void ended() throws InterruptedException {
        for (int i = 0; i < 400; i++) {
            if (Thread.getAllStackTraces().keySet().stream()
                    .noneMatch(thread -> thread.getName().startsWith("xds-"))) {
                return;
            }
            Thread.sleep(25);
        }
    }
}
