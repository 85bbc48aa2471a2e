package dev.tulle.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.OperatingSystemMXBean;
import dev.tulle.model.AppProtocol;
import dev.tulle.model.Workload;
import dev.tulle.xds.NodeLease;
import dev.tulle.xds.RegistrationAnswer;
import dev.tulle.xds.RegistrationClient;
import dev.tulle.xds.RegistrationOptions;
import dev.tulle.xds.WorkloadRegistration;
import dev.tulle.xds.XdsClients;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many registrations cost in proportion to their number: by a model of time, and measured. */
class RegistrationScaleTest {
    /** What one registration, and each workload of a state, cost in the model. */
    private static final long MESSAGE_NANOS = 50_000;

    private static final long WORKLOAD_NANOS = 20_000;

    private static final int SERVICES = 1_000;

    @TempDir
    private Path directory = Path.of("");

    @Test
    void fourTimesTheRegistrationsTakeFourTimesTheTime() {
        double small = modelled(1_000);
        assertTrue(modelled(4_000) / small < 6, modelled(4_000) + " and " + small);
        assertTrue(modelled(16_000) / small < 24, modelled(16_000) + " and " + small);
    }

    /** Nanoseconds until the last of so many registrations, sent one right after the other, is in a state. */
    private static double modelled(int registrations) {
        RebuildPace pace = new RebuildPace(Duration.ofMillis(10));
        long now = 0;
        long planned = -1;
        for (int done = 1; done <= registrations; done++) {
            now += MESSAGE_NANOS;
            if (planned < 0) {
                planned = now + pace.pause(now).toNanos();
            }
            if (now >= planned || done == registrations) {
                long begun = Math.max(now, planned);
                now = begun + done * WORKLOAD_NANOS;
                pace.made(begun, now);
                planned = -1;
            }
        }
        return now;
    }

    @Test
    void aChangeAfterAQuietTimeWaitsForNoMoreThanTheDebounce() {
        Duration debounce = Duration.ofMillis(10);
        RebuildPace pace = new RebuildPace(debounce);
        long second = TimeUnit.SECONDS.toNanos(1);
        assertEquals(debounce, pace.pause(0));
        pace.made(0, second);
        assertEquals(Duration.ofSeconds(1), pace.pause(second));
        assertEquals(Duration.ofMillis(400), pace.pause(second + second * 6 / 10));
        assertEquals(debounce, pace.pause(3 * second));
        pace.made(0, 60 * second);
        assertEquals(RebuildPace.LONGEST, pace.pause(60 * second), "however long the last one took");
    }

    /**
     * In processor time, for other processes of the host to change nothing. The first run warms up.
     */
    @Test
    @Timeout(180)
    void aThousandServicesAndTwoThousandWorkloadsAreThereInTenSeconds() throws Exception {
        processorMillis(SERVICES / 4, "warm");
        long small = processorMillis(SERVICES / 4, "small");
        long large = processorMillis(SERVICES, "large");
        System.out.println("registered 500 workloads of 250 services in " + small
                + " ms of processor time, 2,000 of 1,000 in " + large + " ms");
        assertTrue(large <= 10_000, large + " ms");
        assertTrue(large <= 6 * Math.max(small, 200), large + " ms, a quarter of them " + small + " ms");
    }

    private long processorMillis(int services, String name) throws Exception {
        Path place = directory.resolve(name);
        ControlOptions options =
                ControlOptions.of(place, place.resolve("control.sock")).withHttpPort(0);
        try (ControlPlane plane = ControlPlane.start(options);
                RegistrationClient node = XdsClients.register(
                        new RegistrationOptions(plane.options().places().xdsSocket(), "n1", ""), new NoListener())) {
            long begun = processorNanos();
            List<CompletableFuture<RegistrationAnswer>> answers = new ArrayList<>();
            for (int i = 0; i < 2 * services; i++) {
                answers.add(node.register(workload(i, services)));
            }
            for (CompletableFuture<RegistrationAnswer> answer : answers) {
                assertInstanceOf(RegistrationAnswer.Accepted.class, answer.get(60, TimeUnit.SECONDS));
            }
            while (plane.view().state().workloads().size() < 2 * services) {
                TimeUnit.MILLISECONDS.sleep(5);
            }
            assertEquals(services, plane.view().state().services().size());
            return (processorNanos() - begun) / 1_000_000;
        }
    }

    private static long processorNanos() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
    }

    private static WorkloadRegistration workload(int number, int services) {
        return new WorkloadRegistration(
                "w" + number,
                "default",
                "w",
                List.of("127.1." + number / 250 + "." + (number % 250 + 1)),
                Map.of("app", "s" + number % services),
                List.of("s" + number % services),
                List.of(new Workload.WorkloadPort(9080, AppProtocol.HTTP)),
                true);
    }

    private static final class NoListener implements RegistrationClient.Listener {
        @Override
        public void onLease(NodeLease lease) {}

        @Override
        public void onTrouble(String reason) {}
    }
}
