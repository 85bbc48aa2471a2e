package dev.tulle.proxy.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tulle.common.LocalApiClient;
import dev.tulle.common.LocalApiServer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Goal: the counts of processes that end while others take over are neither lost nor added twice. Method: this process's
 * real end of the hand-over, and sockets in its directory that answer as other processes would at the awkward moments.
 */
class HandOverTest {
    private static final String TOTAL = "tulle_test_total";

    @TempDir
    Path dir;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final List<LocalApiServer> others = new ArrayList<>();

    @AfterEach
    void clear() {
        others.forEach(LocalApiServer::close);
        var _ = group.shutdownGracefully();
    }

    private static String count(long value) {
        return "# HELP " + TOTAL + " A count.\n# TYPE " + TOTAL + " counter\n" + TOTAL + " " + value + "\n";
    }

    private static long counted(String metrics) {
        return metrics.lines()
                .filter(line -> line.startsWith(TOTAL + " "))
                .mapToLong(line -> Long.parseLong(line.substring(TOTAL.length() + 1)))
                .sum();
    }

    private HandOver open(long counted) throws IOException {
        HandOver self = new HandOver(dir, () -> {}, () -> count(counted), () -> 0);
        self.open(group, List::of);
        return self;
    }

    /** Another process: method to what it answers; an answer without a result is a refusal. */
    private void other(long pid, Function<JsonObject, JsonObject> answers) throws IOException {
        others.add(LocalApiServer.start(dir.resolve(pid + Predecessor.API), (request, replies) -> {
            JsonObject answer = new JsonObject();
            JsonObject result = answers.apply(JsonParser.parseString(request).getAsJsonObject());
            if (result.has("refused")) {
                answer.addProperty("error", "has ended");
            } else {
                answer.add("result", result);
            }
            replies.send(answer.toString());
        }));
    }

    @Test
    void whatAnswersNothingSensibleIsNoProxyAndCostsLittle() throws IOException {
        List<String> answers =
                List.of("7", "[]", "{\"result\":7}", "{\"result\":{}}", "{\"result\":{\"state\":[]}}", "{", "");
        for (int i = 0; i < answers.size(); i++) {
            String answer = answers.get(i);
            others.add(LocalApiServer.start(dir.resolve(i + Predecessor.API), (_, replies) -> replies.send(answer)));
            assertEquals(Optional.empty(), Predecessor.stateOf(dir, i), answer);
        }
        others.add(LocalApiServer.start(dir.resolve(90 + Predecessor.API), (_, replies) -> {
            JsonObject answer = new JsonObject();
            answer.add("result", status(90, HandOver.SERVING));
            answer.addProperty("more", "x".repeat(1 << 20));
            replies.send(answer.toString());
        }));
        assertEquals(Optional.empty(), Predecessor.stateOf(dir, 90), "a long one");
        others.add(LocalApiServer.start(dir.resolve(91 + Predecessor.API), (_, _) -> {}));
        assertTimeout(Duration.ofSeconds(8), () -> assertEquals(Optional.empty(), Predecessor.stateOf(dir, 91)));
        other(92, _ -> status(92, HandOver.SERVING));
        assertEquals(Optional.of(HandOver.SERVING), Predecessor.stateOf(dir, 92));
    }

    @Test
    void anotherSocketOfTheFolderIsNoProcessAndStays() throws IOException {
        Path admin = dir.resolve("admin.sock");
        others.add(LocalApiServer.start(admin, (_, _) -> {
            throw new IOException("no such request");
        }));
        assertEquals(List.of(), Predecessor.all(dir));
        assertTrue(Files.exists(admin));
    }

    private static JsonObject status(long pid, String state) {
        JsonObject status = new JsonObject();
        status.addProperty("pid", pid);
        status.addProperty("state", state);
        return status;
    }

    private static JsonObject text(String metrics) {
        JsonObject text = new JsonObject();
        text.addProperty("text", metrics);
        return text;
    }

    private static JsonObject refused() {
        JsonObject refused = new JsonObject();
        refused.addProperty("refused", true);
        return refused;
    }

    /** What a process does that ends. */
    private void bequeath(long from, long counted) {
        JsonObject request = new JsonObject();
        JsonObject params = text(count(counted));
        params.addProperty("pid", from);
        request.addProperty("method", "inherit");
        request.add("params", params);
        try (LocalApiClient client = LocalApiClient.connect(Predecessor.own(dir, Predecessor.API))) {
            client.call(request.toString());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aProcessThatEndsWhileItIsReadIsCountedOnceAndHidesNobody() throws Exception {
        try (HandOver self = open(1)) {
            self.serving();
            // The names are read in order: the first one ends between the two questions, the second goes on.
            other(1_000_000_001L, asked -> {
                if (asked.get("method").getAsString().equals("status")) {
                    return status(1_000_000_001L, HandOver.DRAINING);
                }
                bequeath(1_000_000_001L, 10);
                return refused();
            });
            other(
                    1_000_000_002L,
                    asked -> asked.get("method").getAsString().equals("status")
                            ? status(1_000_000_002L, HandOver.DRAINING)
                            : text(count(100)));
            // This one answers, and has left its counts before it was added.
            other(1_000_000_003L, asked -> {
                if (asked.get("method").getAsString().equals("status")) {
                    return status(1_000_000_003L, HandOver.DRAINING);
                }
                bequeath(1_000_000_003L, 1000);
                return text(count(1000));
            });
            assertEquals(1111, counted(self.metrics()));
            assertEquals(1111, counted(self.metrics()));
        }
    }

    @Test
    void theLastCountsWaitForWhoIsJustTakingOver() throws Exception {
        Map<Long, String> left = new ConcurrentHashMap<>();
        long begun = System.nanoTime();
        other(1_000_000_001L, asked -> {
            if (asked.get("method").getAsString().equals("inherit")) {
                JsonObject params = asked.getAsJsonObject("params");
                left.put(params.get("pid").getAsLong(), params.get("text").getAsString());
                return new JsonObject();
            }
            boolean serves = System.nanoTime() - begun > 300_000_000L;
            return status(1_000_000_001L, serves ? HandOver.SERVING : HandOver.STARTING);
        });
        HandOver self = open(7);
        self.close();
        assertEquals(Map.of(ProcessHandle.current().pid(), count(7)), left);
    }

    @Test
    void withoutAnybodyElseItEndsAtOnce() throws Exception {
        other(1_000_000_001L, _ -> status(1_000_000_001L, HandOver.DRAINING));
        HandOver self = open(7);
        long begun = System.nanoTime();
        self.close();
        assertTrue(System.nanoTime() - begun < 5_000_000_000L);
    }
}
