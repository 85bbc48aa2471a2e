package dev.tulle.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.testkit.Command;
import dev.tulle.testkit.MeshLab;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Proves what stays when a role is killed under load: capture and spliced L4 connections outlive control and agent, the
 * proxy comes back by itself, and the mesh says what happened.
 */
@Tag("e2e")
class SurvivalTest {
    @Test
    void killedRolesComeBackAndTheDataPathStays() throws Exception {
        try (MeshLab lab = MeshLab.start(null)) {
            lab.workload(
                    "web",
                    List.of("--service", "web", "--port", "http:9080"),
                    List.of("python3", lab.program("server.py").toString(), "web", "9080"));
            lab.workload(
                    "bytes",
                    List.of("--service", "bytes", "--port", "tcp:7000", "--splice", "on"),
                    List.of("python3", lab.program("transfer.py").toString(), "serve", "7000"));
            lab.await("both serve", Duration.ofSeconds(20), () -> answers(lab));

            Process load = lab.workload("load", List.of(), List.of("wrk", "-t1", "-c8", "-d10", "http://web:9080/"));
            Process transfer = lab.workload(
                    "transfer",
                    List.of("--splice", "on"),
                    List.of(
                            "python3",
                            lab.program("transfer.py").toString(),
                            "get",
                            "bytes",
                            "7000",
                            "1000000000",
                            "random"));
            Thread.sleep(2500);
            long jvm = lab.pid("up");
            kill(jvm);
            // The mesh has no control plane and no agent now: capture and policy hold all the same.
            assertTrue(load.waitFor(40, TimeUnit.SECONDS));
            String wrk = Files.readString(lab.folder().resolve("load.log"));
            assertTrue(!wrk.contains("Non-2xx") && !wrk.contains("Socket errors"), wrk);
            assertTrue(transfer.waitFor(120, TimeUnit.SECONDS), "the transfer ends");
            assertEquals(
                    "ok 1000000000\n", Files.readString(lab.folder().resolve("transfer.log")), "the spliced transfer");
            lab.await("control and agent are back", Duration.ofSeconds(20), () -> isBack(lab, jvm));
            lab.await("services answer", Duration.ofSeconds(10), () -> answers(lab));

            long proxy = lab.pid("proxy");
            kill(proxy);
            lab.await("the proxy is back", Duration.ofSeconds(20), () -> answers(lab));
            assertNotEquals(proxy, lab.pid("proxy"));
            Command.Result status = lab.tulle("status").run();
            assertTrue(status.out().contains("killed by signal 9"), status.toString());
        }
    }

    private static void kill(long pid) throws Exception {
        Command.of("kill", "-9", Long.toString(pid)).ok();
    }

    private static boolean isBack(MeshLab lab, long former) {
        try {
            return lab.pid("up") != former && lab.tulle("status").run().status() == 0;
        } catch (Exception e) {
            return false;
        }
    }

    private static boolean answers(MeshLab lab) {
        try {
            return lab.in("look", "curl", "-sS", "--fail", "-m", "3", "http://web:9080/")
                                    .run()
                                    .status()
                            == 0
                    && lab.in(
                                            "look2",
                                            "python3",
                                            lab.program("transfer.py").toString(),
                                            "get",
                                            "bytes",
                                            "7000",
                                            "1",
                                            "none")
                                    .run()
                                    .status()
                            == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
