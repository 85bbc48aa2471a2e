package dev.tulle.proxy.accept;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.DefaultEventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** In which order connections begin. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class TurnsTest {
    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final List<String> begun = new ArrayList<>();

    @AfterEach
    void stop() throws Exception {
        loop.shutdownGracefully(0, 5, TimeUnit.SECONDS).get();
    }

    private Turns.Turn turn(String what, CountDownLatch each) {
        return () -> {
            begun.add(what);
            each.countDown();
            return true;
        };
    }

    @Test
    void oneOfManyDoesNotWaitForAll() throws Exception {
        CountDownLatch all = new CountDownLatch(1002);
        loop.submit(() -> {
                    Turns turns = new Turns(loop);
                    for (int i = 0; i < 1000; i++) {
                        turns.take("greedy", turn("greedy " + i, all));
                    }
                    turns.take("quiet", turn("quiet", all));
                    turns.take("quiet", turn("quiet again", all));
                })
                .get();
        all.await();
        assertEquals(List.of("greedy 0", "quiet"), begun.subList(0, 2));
        assertTrue(begun.indexOf("quiet again") <= 3, begun.toString());
        List<String> greedy =
                begun.stream().filter(one -> one.startsWith("greedy")).toList();
        for (int i = 0; i < 1000; i++) {
            assertEquals("greedy " + i, greedy.get(i));
        }
    }

    @Test
    void manyClientsAllGetTheirTurn() throws Exception {
        CountDownLatch all = new CountDownLatch(3 * 100);
        loop.submit(() -> {
                    Turns turns = new Turns(loop);
                    for (int round = 0; round < 3; round++) {
                        for (int client = 0; client < 100; client++) {
                            turns.take("client " + client, turn(client + " " + round, all));
                        }
                    }
                })
                .get();
        all.await();
        // Nobody has a second turn before everybody has had a first.
        for (int i = 0; i < 300; i++) {
            assertTrue(begun.get(i).endsWith(" " + i / 100), begun.toString());
        }
    }

    @Test
    void whatHasGoneCostsNoTurn() throws Exception {
        CountDownLatch all = new CountDownLatch(2);
        loop.submit(() -> {
                    Turns turns = new Turns(loop);
                    turns.take("client", () -> false);
                    turns.take("client", turn("first", all));
                    for (int i = 0; i < 100; i++) {
                        turns.take("client", () -> false);
                    }
                    turns.take("client", turn("second", all));
                })
                .get();
        all.await();
        assertEquals(List.of("first", "second"), begun);
    }
}
