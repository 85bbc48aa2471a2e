package dev.tulle.proxy.discovery;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.tulle.model.Listener;
import dev.tulle.model.MeshState;
import dev.tulle.model.RouteMatch;
import dev.tulle.proxy.FakeXds;
import dev.tulle.proxy.Meshes;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** When new routes are put in force: with what they lead to, or when that has not come for long. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class ServiceWatchTest {
    /** A timer that keeps what it is given; its time never comes by itself. */
    private static final class HeldTimer extends ScheduledThreadPoolExecutor {
        final List<Runnable> alarms = new CopyOnWriteArrayList<>();

        HeldTimer() {
            super(1);
        }

        @Override
        public ScheduledFuture<?> schedule(Runnable alarm, long delay, TimeUnit unit) {
            alarms.add(alarm);
            return super.schedule(() -> {}, 1, TimeUnit.HOURS);
        }
    }

    private final HeldTimer timer = new HeldTimer();
    private final FakeXds xds = new FakeXds();
    private final OutboundService service = new OutboundService(Listener.nameOf(Meshes.VIP, Meshes.PORT));

    @AfterEach
    void end() {
        timer.shutdownNow();
        xds.close();
    }

    private static MeshState to(String subset) {
        return Meshes.mesh()
                .subset("v1", 1)
                .subset("v2", 2)
                .routes(Meshes.forward("all", RouteMatch.ANY, subset))
                .build();
    }

    private Set<String> clusters() {
        ServiceSnapshot snapshot = service.snapshot();
        return snapshot == null ? Set.of() : snapshot.clusters().keySet();
    }

    private void await(String subset) throws InterruptedException {
        while (!clusters().equals(Set.of(Meshes.cluster(subset)))) {
            Thread.sleep(5);
        }
    }

    @Test
    void theTimeOfAnEarlierChangeDoesNotCountForALaterOne() throws Exception {
        xds.set(to("v1"));
        try (ServiceWatch watch = new ServiceWatch(xds, service, timer)) {
            watch.start();
            await("v1");
            List<Runnable> earlier = List.copyOf(timer.alarms);
            assertFalse(earlier.isEmpty(), "the first routes were waited for");

            // The clusters of the new routes are still on their way.
            xds.silence(true);
            xds.set(to("v2"));
            earlier.forEach(Runnable::run);
            assertEquals(Set.of(Meshes.cluster("v1")), clusters(), "the old routes stay in force");

            xds.silence(false);
            await("v2");
        }
    }

    @Test
    void whatDoesNotComeIsNotWaitedForForEver() throws Exception {
        xds.set(to("v1"));
        try (ServiceWatch watch = new ServiceWatch(xds, service, timer)) {
            watch.start();
            await("v1");
            xds.silence(true);
            xds.set(to("v2"));
            timer.alarms.getLast().run();
            assertEquals(Set.of(), clusters(), "the new routes are in force, and lead nowhere yet");
            xds.silence(false);
            await("v2");
        }
    }
}
