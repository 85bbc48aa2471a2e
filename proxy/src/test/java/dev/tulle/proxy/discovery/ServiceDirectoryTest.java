package dev.tulle.proxy.discovery;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.model.Listener;
import dev.tulle.proxy.FakeXds;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** What is followed and what is forgotten. */
class ServiceDirectoryTest {
    @Test
    void whatIsFollowedIsNotForgottenAtThatMoment() throws Exception {
        Listener listener =
                new Listener("edge_80", "0.0.0.0", 80, "", new Listener.Target.Http("http.80", false, List.of()));
        try (FakeXds xds = new FakeXds();
                ServiceDirectory services = new ServiceDirectory(xds, Duration.ofNanos(1))) {
            AtomicBoolean over = new AtomicBoolean();
            Thread forgetting = Thread.ofPlatform().start(() -> {
                while (!over.get()) {
                    services.forgetIdle();
                }
            });
            try {
                for (int i = 0; i < 50_000; i++) {
                    OutboundService followed = services.follow(listener);
                    assertTrue(services.services().contains(followed), "forgotten in round " + i);
                    services.leave(followed);
                }
            } finally {
                over.set(true);
                forgetting.join();
            }
        }
    }
}
