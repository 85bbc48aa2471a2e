package dev.tulle.cli.role;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.cli.client.PidFile;
import dev.tulle.cli.client.RunEvents;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Goal: a proxy always runs until the supervisor closes, then none does. Method: `sleep` plays the proxy. */
@Timeout(20)
class ProxySupervisorTest {
    private static final Duration DRAIN = Duration.ofSeconds(2);

    @TempDir
    Path directory;

    private ProxySupervisor supervise(String... command) {
        return ProxySupervisor.start(
                ProxySupervisor.NODE, () -> ProxyProcess.child(List.of(command)), directory, "build", DRAIN, events());
    }

    private RunEvents events() {
        return new RunEvents(directory, InstantSource.system());
    }

    private long awaitOtherThan(long pid) throws InterruptedException {
        while (true) {
            OptionalLong living = PidFile.living(directory, "proxy");
            if (living.isPresent() && living.getAsLong() != pid) {
                return living.getAsLong();
            }
            Thread.sleep(5);
        }
    }

    @Test
    void aKilledProxyComesBackAndTheCauseIsRecorded() throws InterruptedException {
        try (ProxySupervisor supervisor = supervise("sleep", "60")) {
            long first = awaitOtherThan(0);
            ProcessHandle.of(first).orElseThrow().destroyForcibly();
            long second = awaitOtherThan(first);

            assertEquals(1, supervisor.restarts());
            assertTrue(events().latest(1).getFirst().what().startsWith("was killed by signal 9 after 0 s"));
            supervisor.close();
            assertFalse(ProcessHandle.of(second).map(ProcessHandle::isAlive).orElse(false));
            assertEquals(OptionalLong.empty(), PidFile.living(directory, "proxy"));
        }
    }

    @Test
    void theProxyOfAFormerProcessIsAdoptedAndReplacedWhenItDies() throws Exception {
        Process former = new ProcessBuilder("sleep", "60").start();
        PidFile.write(directory, "proxy", former.pid());
        try (ProxySupervisor supervisor = supervise("sleep", "60")) {
            Thread.sleep(300);
            assertEquals(OptionalLong.of(former.pid()), PidFile.living(directory, "proxy"));
            assertEquals(0, supervisor.restarts());

            former.destroyForcibly().waitFor();
            awaitOtherThan(former.pid());
        }
        assertTrue(events().latest(10).getFirst().what().startsWith("adopted the running process " + former.pid()));
    }

    @Test
    void oneThatIgnoresTheRequestToEndIsKilled() throws InterruptedException {
        try (ProxySupervisor supervisor = supervise("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")) {
            long pid = awaitOtherThan(0);
            Thread.sleep(200);
            supervisor.close();
            assertFalse(ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false));
        }
    }

    @Test
    void aCommandThatCannotStartIsTriedAgainWithPauses() throws InterruptedException {
        ProxySupervisor.Launch broken = () -> {
            throw new IOException("no cgroup");
        };
        try (ProxySupervisor _ =
                ProxySupervisor.start(ProxySupervisor.NODE, broken, directory, "build", DRAIN, events())) {
            Thread.sleep(400);
        }
        List<RunEvents.Event> tried = events().latest(100);
        assertTrue(tried.size() >= 2 && tried.size() <= 4, tried.toString());
        assertTrue(tried.getFirst().what().startsWith("cannot be started: no cgroup"), tried.toString());
    }
}
