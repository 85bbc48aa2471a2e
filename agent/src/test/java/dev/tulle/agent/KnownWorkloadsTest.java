package dev.tulle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import dev.tulle.agent.tier.Tier;
import dev.tulle.xds.RegistrationAnswer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A program begins when its name leads to it; needs root. */
class KnownWorkloadsTest {
    private static final String SERVER = "{'name':'web','service':'web','ports':['http:24100']}";

    @TempDir
    Path dir;

    private static long millisOf(MeshHost host, String params) throws Exception {
        long began = System.nanoTime();
        assertEquals(new JsonArray(), host.object("run", params).get("warnings"));
        return Duration.ofNanos(System.nanoTime() - began).toMillis();
    }

    private static String warning(MeshHost host) throws Exception {
        JsonArray warnings = host.object("run", SERVER).getAsJsonArray("warnings");
        assertEquals(1, warnings.size(), warnings.toString());
        host.call("release", "{'name':'web'}");
        return warnings.get(0).getAsString();
    }

    @Test
    void aServerWaitsUntilItIsKnownAndAClientDoesNot() throws Exception {
        try (MeshHost host = new MeshHost(dir, Optional.of(Tier.EXPLICIT))) {
            NodeAgent.detachAll(host.options);
            try (NodeAgent agent = host.start()) {
                assertEquals(Tier.EXPLICIT, agent.tier());
                host.control.answering(uid -> CompletableFuture.supplyAsync(
                        () -> new RegistrationAnswer.Accepted(uid),
                        CompletableFuture.delayedExecutor(700, TimeUnit.MILLISECONDS)));
                assertTrue(millisOf(host, SERVER) >= 700);
                host.call("release", "{'name':'web'}");
                assertTrue(millisOf(host, "{'name':'caller'}") < 700);

                host.control.answering(
                        uid -> CompletableFuture.completedFuture(new RegistrationAnswer.Refused(uid, "no room")));
                assertEquals("the control plane refuses default/web, so nobody finds it: no room", warning(host));
                // It may be away: programs start all the same.
                host.control.answering(_ -> new CompletableFuture<>());
                assertEquals(
                        "the control plane has not answered within 2 s: nobody finds default/web until it does",
                        warning(host));
            }
        }
    }
}
